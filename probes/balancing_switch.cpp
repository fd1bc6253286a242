// SPDX-License-Identifier: Apache-2.0
#include "probes/balancing_switch.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <optional>
#include <utility>

#include "base/parse_int.h"

namespace smaps_audit::probes {
namespace {

using std::chrono::steady_clock;
constexpr std::chrono::seconds kPatience{120};

std::optional<std::uint64_t> read_value(int sysctl) {
  std::array<char, 32> text{};
  const ssize_t got = ::pread(sysctl, text.data(), text.size(), 0);
  if (got <= 0) return std::nullopt;
  std::string_view digits{text.data(), static_cast<std::size_t>(got)};
  if (digits.ends_with('\n')) digits.remove_suffix(1);
  return parse_unsigned(digits);
}

bool write_value(int sysctl, const std::string& value) {
  return ::pwrite(sysctl, value.data(), value.size(), 0) == static_cast<ssize_t>(value.size());
}

/// The guardian: never returns. Only async-signal-safe calls and no allocation are needed.
[[noreturn]] void guard(int life, int sysctl, const std::string& before, const std::string& ours) {
  ::setsid();
  for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_IGN);
  char byte = 0;
  ssize_t got = 0;
  do {
    got = ::read(life, &byte, 1);
  } while (got > 0 || (got < 0 && errno == EINTR));
  const auto now = read_value(sysctl);
  if (now && std::to_string(*now) == ours) write_value(sysctl, before);
  ::_exit(0);
}

}  // namespace

Result<BalancingSwitch> BalancingSwitch::turn_on(KernelView& view, const std::string& proc_root,
                                                 const std::function<bool()>& stopped) {
  const std::string path = proc_root + "/sys/kernel/numa_balancing";
  BalancingSwitch balancing;
  balancing.sysctl_ = UniqueFd{::open(path.c_str(), O_RDWR | O_CLOEXEC)};
  if (!balancing.sysctl_) {
    if (errno == ENOENT) {
      return Error{.code = ErrorCode::unsupported, .what = "no NUMA balancing", .file = path};
    }
    return error_from_errno(errno, "it may not be written", path);
  }
  const int sysctl = balancing.sysctl_.get();
  const auto deadline = steady_clock::now() + kPatience;
  while (::flock(sysctl, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return error_from_errno(errno, "no lock", path);
    if (stopped() || steady_clock::now() > deadline) {
      return Error{.code = ErrorCode::deadline, .what = "another run holds it", .file = path};
    }
    view.sleep_for(std::chrono::milliseconds(50));
  }
  const auto before = read_value(sysctl);
  if (!before) return Error{.code = ErrorCode::malformed, .what = "no number", .file = path};
  if ((*before & 1) != 0) return balancing;
  const std::string ours = std::to_string(*before | 1);
  if (const auto guarded = balancing.start_guardian(std::to_string(*before), ours); !guarded) {
    return guarded.error();
  }
  if (!write_value(sysctl, ours)) return error_from_errno(errno, "it cannot be written", path);
  return balancing;
}

Result<Ok> BalancingSwitch::start_guardian(const std::string& before, const std::string& ours) {
  std::array<int, 2> life{};
  if (::pipe2(life.data(), O_CLOEXEC) != 0) return error_from_errno(errno, "no pipe");
  const UniqueFd theirs{life[0]};
  life_ = UniqueFd{life[1]};
  guardian_ = ::fork();
  if (guardian_ < 0) return error_from_errno(errno, "no guardian process");
  if (guardian_ == 0) {
    ::close(life[1]);
    guard(life[0], sysctl_.get(), before, ours);
  }
  return Ok{};
}

BalancingSwitch::BalancingSwitch(BalancingSwitch&& other) noexcept
    : sysctl_(std::move(other.sysctl_)),
      life_(std::move(other.life_)),
      guardian_(std::exchange(other.guardian_, -1)) {}

BalancingSwitch::~BalancingSwitch() {
  life_.reset();
  if (guardian_ <= 0) return;
  while (::waitpid(guardian_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace smaps_audit::probes
