// SPDX-License-Identifier: Apache-2.0
#include "collect/host.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <string_view>

#include "base/parse_int.h"

namespace smaps_audit {
namespace {

constexpr std::size_t kLongestFile = std::size_t{64} << 10;

/// The whole of a small file without the newline at its end.
Result<std::string> read_line(KernelView& view, KernelRoot root, const std::string& path) {
  Result<KernelFile> file = view.open(root, path);
  if (!file) return file.error();
  std::string text;
  std::array<std::byte, 4096> buffer{};
  for (;;) {
    const Result<std::size_t> got = view.read(*file, buffer);
    if (!got) return got.error();
    if (*got == 0) break;
    text.append(reinterpret_cast<const char*>(buffer.data()), *got);
    if (text.size() > kLongestFile) {
      return Error{.code = ErrorCode::malformed,
                   .what = "longer than " + std::to_string(kLongestFile) + " bytes",
                   .file = file->path()};
    }
  }
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

std::optional<std::uint64_t> read_number(KernelView& view, KernelRoot root,
                                         const std::string& path) {
  const Result<std::string> text = read_line(view, root, path);
  return text ? parse_unsigned(*text) : std::nullopt;
}

/// The one of several words that stands in brackets: "always [madvise] never".
std::optional<std::string> bracketed_word(std::string_view text) {
  const std::size_t open = text.find('[');
  if (open == std::string_view::npos) return std::nullopt;
  const std::size_t close = text.find(']', open);
  if (close == std::string_view::npos || close == open + 1) return std::nullopt;
  return std::string{text.substr(open + 1, close - open - 1)};
}

std::optional<std::uint64_t> read_count(KernelView& view, const std::string& path) {
  const Result<std::string> text = read_line(view, KernelRoot::sys, path);
  return text ? count_of_list(*text) : std::nullopt;
}

Result<std::string> machine_name(KernelView& view) {
  Result<std::string> arch = read_line(view, KernelRoot::proc, "sys/kernel/arch");  // 6.1
  if (arch) return arch;
  utsname names{};
  if (::uname(&names) < 0) return arch;
  return std::string{&names.machine[0]};
}

bool is_power_of_two(std::uint64_t value) { return value != 0 && (value & (value - 1)) == 0; }

}  // namespace

std::optional<std::uint64_t> count_of_list(std::string_view list) {
  std::uint64_t count = 0;
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    const std::string_view item = list.substr(0, comma);
    const std::size_t dash = item.find('-');
    const auto first = parse_unsigned(item.substr(0, dash));
    const auto last =
        dash == std::string_view::npos ? first : parse_unsigned(item.substr(dash + 1));
    constexpr std::uint64_t kMost = 1 << 20;  // far above NR_CPUS and MAX_NUMNODES
    if (!first || !last || *last < *first || *last > kMost) return std::nullopt;
    count += *last - *first + 1;
    if (comma == std::string_view::npos) return count;
    list.remove_prefix(comma + 1);
  }
  return std::nullopt;
}

Result<HostInfo> read_host_info(KernelView& view) {
  HostInfo host;
  Result<std::string> release = read_line(view, KernelRoot::proc, "sys/kernel/osrelease");
  if (!release) return release.error();
  Result<std::string> boot_id = read_line(view, KernelRoot::proc, "sys/kernel/random/boot_id");
  if (!boot_id) return boot_id.error();
  Result<std::string> machine = machine_name(view);
  if (!machine) return machine.error();
  host.kernel_release = *std::move(release);
  host.boot_id = *std::move(boot_id);
  host.machine = *std::move(machine);

  const long page_bytes = ::sysconf(_SC_PAGESIZE);
  if (page_bytes > 0) host.pages.page_bytes = static_cast<std::uint64_t>(page_bytes);
  const auto pmd_bytes =
      read_number(view, KernelRoot::sys, "kernel/mm/transparent_hugepage/hpage_pmd_size");
  host.pmd_bytes_assumed = !pmd_bytes || !is_power_of_two(*pmd_bytes);
  if (!host.pmd_bytes_assumed) host.pages.pmd_bytes = *pmd_bytes;

  host.cpus = read_count(view, "devices/system/cpu/online");
  host.numa_nodes = read_count(view, "devices/system/node/online");
  host.numa_balancing = read_number(view, KernelRoot::proc, "sys/kernel/numa_balancing");
  const Result<std::string> thp =
      read_line(view, KernelRoot::sys, "kernel/mm/transparent_hugepage/enabled");
  if (thp) host.thp = bracketed_word(*thp);
  return host;
}

}  // namespace smaps_audit
