// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>

#include "base/unique_fd.h"
#include "collect/kernel_ioctls.h"
#include "collect/live_kernel_view.h"
#include "tests/bench/bare_kernel_view.h"

namespace smaps_audit::bench {
namespace {

using Kind = BareCall::Kind;

constexpr std::size_t kListingBytes = 32768;  // of glibc's readdir

/// Makes the calls of one list, file numbers translated to descriptors.
class Repeater {
 public:
  Repeater(const BareCalls& calls, std::vector<std::byte>& buffer, const std::string& proc_root)
      : calls_(calls),
        buffer_(buffer),
        fds_(calls.files),
        proc_{::open(proc_root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)},
        sys_{::open(LiveKernelView::kSysRoot, O_PATH | O_DIRECTORY | O_CLOEXEC)} {
    std::size_t most = kListingBytes;
    for (const BareCall& call : calls.calls) {
      const bool scan = call.kind == Kind::pagemap_scan;
      most = std::max<std::size_t>(most, call.size * (scan ? sizeof(PageRegion) : 1));
    }
    buffer_.resize(most);
  }

  BareOutcome run() {
    for (const BareCall& call : calls_.calls) {
      ++outcome_.calls;
      if (make(call) < 0) ++outcome_.failed;
    }
    return outcome_;
  }

 private:
  [[nodiscard]] int fd(std::uint32_t number) const {
    if (number == kProcRoot) return proc_.get();
    if (number == kSysRoot) return sys_.get();
    return fds_[number].get();
  }
  [[nodiscard]] const char* path(const BareCall& call) const {
    const std::string& path = calls_.paths[call.path];
    return path.empty() ? "." : path.c_str();
  }

  long make(const BareCall& call) {
    struct stat status {};
    timespec now{};
    switch (call.kind) {
      case Kind::open:
        fds_[call.file] =
            UniqueFd{::openat(fd(call.directory), path(call), O_RDONLY | O_CLOEXEC | call.flags)};
        return fd(call.file);
      case Kind::close: fds_[call.file].reset(); return 0;
      case Kind::read: return read(call);
      case Kind::pread:
        return ::pread(fd(call.file), buffer_.data(), call.size, static_cast<off_t>(call.a));
      case Kind::rewind: return ::lseek(fd(call.file), 0, SEEK_SET);
      case Kind::pagemap_scan: return scan(call);
      case Kind::procmap_query: return query(call);
      case Kind::list: return list(call);
      case Kind::read_link:
        return ::readlinkat(fd(call.file), path(call), reinterpret_cast<char*>(buffer_.data()),
                            buffer_.size());
      case Kind::identify: return ::fstatat(fd(call.file), path(call), &status, 0);
      case Kind::owner: return ::fstat(fd(call.file), &status);
      // Its answer may well be no: no failure.
      case Kind::process_exists: ::kill(static_cast<pid_t>(call.a), 0); return 0;
      case Kind::same_mm: return ::syscall(SYS_kcmp, call.a, call.b, KCMP_VM, 0UL, 0UL);
      case Kind::monotonic_now: return ::clock_gettime(CLOCK_MONOTONIC, &now);
      case Kind::wall_now: return ::clock_gettime(CLOCK_REALTIME, &now);
      case Kind::sleep_for: return sleep_for(call);
      case Kind::entropy: return ::getrandom(buffer_.data(), sizeof(std::uint64_t), 0);
      case Kind::count_: break;
    }
    return -1;
  }

  long read(const BareCall& call) {
    const ssize_t got = ::read(fd(call.file), buffer_.data(), call.size);
    if (got > 0) outcome_.read_bytes += static_cast<std::uint64_t>(got);
    return got;
  }

  long scan(const BareCall& call) {
    uapi::PagemapScanArgument argument;
    argument.start = call.a;
    argument.end = call.b;
    argument.vec = reinterpret_cast<std::uintptr_t>(buffer_.data());
    argument.vec_len = call.size;
    argument.category_anyof_mask = call.category_anyof;
    argument.return_mask = call.return_mask;
    const int filled = ::ioctl(fd(call.file), uapi::kPagemapScan, &argument);
    if (filled > 0) outcome_.regions += static_cast<std::uint64_t>(filled);
    return filled;
  }

  long query(const BareCall& call) {
    uapi::ProcmapQueryArgument argument;
    argument.query_flags = uapi::kCoveringOrNextVma;
    argument.query_addr = call.a;
    return ::ioctl(fd(call.file), uapi::kProcmapQuery, &argument);
  }

  /// What fdopendir, rewinddir and readdir do to the kernel.
  long list(const BareCall& call) {
    const UniqueFd copy{::fcntl(fd(call.file), F_DUPFD_CLOEXEC, 0)};
    struct stat status {};
    if (!copy || ::fstat(copy.get(), &status) < 0 || ::fcntl(copy.get(), F_GETFL) < 0) return -1;
    ::lseek(copy.get(), 0, SEEK_SET);
    ssize_t got = 0;
    do {
      got = ::getdents64(copy.get(), buffer_.data(), kListingBytes);
    } while (got > 0);
    return got;
  }

  long sleep_for(const BareCall& call) {
    constexpr std::uint64_t kNanosecondsPerSecond = 1'000'000'000;
    const timespec duration{.tv_sec = static_cast<time_t>(call.a / kNanosecondsPerSecond),
                            .tv_nsec = static_cast<long>(call.a % kNanosecondsPerSecond)};
    return ::clock_nanosleep(CLOCK_MONOTONIC, 0, &duration, nullptr) == 0 ? 0 : -1;
  }

  const BareCalls& calls_;
  std::vector<std::byte>& buffer_;
  std::vector<UniqueFd> fds_;
  UniqueFd proc_;
  UniqueFd sys_;
  BareOutcome outcome_;
};

}  // namespace

BareOutcome BareKernelView::repeat(const BareCalls& calls, std::vector<std::byte>& buffer,
                                   const std::string& proc_root) {
  return Repeater{calls, buffer, proc_root}.run();
}

}  // namespace smaps_audit::bench
