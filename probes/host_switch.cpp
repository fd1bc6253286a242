// SPDX-License-Identifier: Apache-2.0
#include "probes/host_switch.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <optional>

#include "base/parse_int.h"

namespace smaps_audit::probes {
namespace {

using std::chrono::steady_clock;
constexpr std::chrono::seconds kPatience{120};

std::optional<std::uint64_t> read_value(int file) {
  std::array<char, 32> text{};
  const ssize_t got = ::pread(file, text.data(), text.size(), 0);
  if (got <= 0) return std::nullopt;
  std::string_view digits{text.data(), static_cast<std::size_t>(got)};
  if (digits.ends_with('\n')) digits.remove_suffix(1);
  return parse_unsigned(digits);
}

bool write_value(int file, const std::string& value) {
  return ::pwrite(file, value.data(), value.size(), 0) == static_cast<ssize_t>(value.size());
}

}  // namespace

Result<HostSwitch> HostSwitch::turn(
    KernelView& view, const std::string& path,
    const std::function<std::uint64_t(std::uint64_t before)>& wanted,
    const std::function<bool()>& stopped) {
  HostSwitch turned;
  turned.file_ = UniqueFd{::open(path.c_str(), O_RDWR | O_CLOEXEC)};
  if (!turned.file_) {
    if (errno == ENOENT) {
      return Error{.code = ErrorCode::unsupported, .what = "this kernel has none", .file = path};
    }
    return error_from_errno(errno, "it may not be written", path);
  }
  const int file = turned.file_.get();
  const auto deadline = steady_clock::now() + kPatience;
  while (::flock(file, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return error_from_errno(errno, "no lock", path);
    if (stopped() || steady_clock::now() > deadline) {
      return Error{.code = ErrorCode::deadline, .what = "another run holds it", .file = path};
    }
    view.sleep_for(std::chrono::milliseconds(50));
  }
  const auto before = read_value(file);
  if (!before) return Error{.code = ErrorCode::malformed, .what = "no number", .file = path};
  const std::uint64_t ours = wanted(*before);
  if (ours == *before) return turned;
  auto guardian = Guardian::start(file, [file, ours, back = std::to_string(*before)] {
    if (read_value(file) == ours) write_value(file, back);
  });
  if (!guardian) return guardian.error();
  turned.guardian_ = *std::move(guardian);
  if (!write_value(file, std::to_string(ours))) {
    return error_from_errno(errno, "it cannot be written", path);
  }
  return turned;
}

}  // namespace smaps_audit::probes
