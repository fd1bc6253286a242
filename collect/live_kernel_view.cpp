// SPDX-License-Identifier: Apache-2.0
#include "collect/live_kernel_view.h"

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

#include <cerrno>
#include <memory>
#include <string_view>
#include <utility>

#include "collect/kernel_ioctls.h"

namespace smaps_audit {
namespace {

constexpr std::size_t kLongestLink = std::size_t{1} << 20;

template <class Call>
auto retry_interrupted(Call call) {
  decltype(call()) result;
  do {
    result = call();
  } while (result < 0 && errno == EINTR);
  return result;
}

std::string joined(const std::string& directory, const std::string& path) {
  return path.empty() ? directory : directory + "/" + path;
}

Nanoseconds clock_now(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return std::chrono::seconds{now.tv_sec} + Nanoseconds{now.tv_nsec};
}

timespec to_timespec(Nanoseconds duration) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(duration);
  return {.tv_sec = seconds.count(), .tv_nsec = (duration - seconds).count()};
}

/// A kernel that knows the ioctl but not what we ask of it says EINVAL: also "not offered".
Error ioctl_error(int errno_value, std::string what, const KernelFile& file) {
  Error error = error_from_errno(errno_value, std::move(what), file.path());
  if (errno_value == EINVAL) error.code = ErrorCode::unsupported;
  return error;
}

struct DirectoryCloser {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

}  // namespace

LiveKernelView::LiveKernelView(std::string proc_root, std::string sys_root)
    : roots_{Root{std::move(proc_root), {}}, Root{std::move(sys_root), {}}} {}

Result<KernelFile> LiveKernelView::open(KernelRoot root, const std::string& path) {
  return open_below_root(root, path, 0);
}

Result<KernelFile> LiveKernelView::open_directory(KernelRoot root, const std::string& path) {
  return open_below_root(root, path, O_DIRECTORY);
}

Result<KernelFile> LiveKernelView::open_at(const KernelFile& directory, const std::string& path) {
  return open_below(directory.handle(), directory.path(), path, 0);
}

Result<KernelFile> LiveKernelView::open_directory_at(const KernelFile& directory,
                                                     const std::string& path) {
  return open_below(directory.handle(), directory.path(), path, O_DIRECTORY);
}

Result<KernelFile> LiveKernelView::open_below_root(KernelRoot root, const std::string& path,
                                                   int flags) {
  Root& base = roots_[static_cast<std::size_t>(root)];
  if (!base.fd) {
    base.fd = UniqueFd{retry_interrupted(
        [&] { return ::open(base.path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC); })};
    if (!base.fd) return error_from_errno(errno, "cannot open the directory", base.path);
  }
  return open_below(base.fd.get(), base.path, path, flags);
}

Result<KernelFile> LiveKernelView::open_below(int directory, const std::string& directory_path,
                                              const std::string& path, int flags) {
  const char* const name = path.empty() ? "." : path.c_str();
  const int fd =
      retry_interrupted([&] { return ::openat(directory, name, O_RDONLY | O_CLOEXEC | flags); });
  if (fd < 0) return error_from_errno(errno, "cannot open", joined(directory_path, path));
  return KernelFile{this, fd, joined(directory_path, path)};
}

void LiveKernelView::close(int handle) { ::close(handle); }

Result<std::size_t> LiveKernelView::read(const KernelFile& file, std::span<std::byte> buffer) {
  const ssize_t got =
      retry_interrupted([&] { return ::read(file.handle(), buffer.data(), buffer.size()); });
  if (got < 0) return error_from_errno(errno, "cannot read", file.path());
  return static_cast<std::size_t>(got);
}

Result<std::size_t> LiveKernelView::pread(const KernelFile& file, std::span<std::byte> buffer,
                                          std::uint64_t offset) {
  const ssize_t got = retry_interrupted([&] {
    return ::pread(file.handle(), buffer.data(), buffer.size(), static_cast<off_t>(offset));
  });
  if (got < 0) {
    Error error = error_from_errno(errno, "cannot read", file.path());
    error.offset = offset;
    return error;
  }
  return static_cast<std::size_t>(got);
}

Result<Ok> LiveKernelView::rewind(const KernelFile& file) {
  if (::lseek(file.handle(), 0, SEEK_SET) < 0) {
    return error_from_errno(errno, "cannot go back to the start", file.path());
  }
  return Ok{};
}

Result<PagemapScanAnswer> LiveKernelView::pagemap_scan(const KernelFile& pagemap,
                                                       std::uint64_t start, std::uint64_t end,
                                                       std::uint64_t category_anyof,
                                                       std::uint64_t return_mask,
                                                       std::span<PageRegion> regions) {
  uapi::PagemapScanArgument argument;
  argument.start = start;
  argument.end = end;
  argument.vec = reinterpret_cast<std::uintptr_t>(regions.data());
  argument.vec_len = regions.size();
  argument.category_anyof_mask = category_anyof;
  argument.return_mask = return_mask;
  const int filled =
      retry_interrupted([&] { return ::ioctl(pagemap.handle(), uapi::kPagemapScan, &argument); });
  if (filled < 0) return ioctl_error(errno, "ioctl PAGEMAP_SCAN failed", pagemap);
  return PagemapScanAnswer{.regions = static_cast<std::size_t>(filled),
                           .walk_end = argument.walk_end};
}

Result<std::optional<VmaGeometry>> LiveKernelView::procmap_query(const KernelFile& maps,
                                                                 std::uint64_t address) {
  uapi::ProcmapQueryArgument argument;
  argument.query_flags = uapi::kCoveringOrNextVma;
  argument.query_addr = address;
  const int status =
      retry_interrupted([&] { return ::ioctl(maps.handle(), uapi::kProcmapQuery, &argument); });
  if (status < 0 && errno == ENOENT) return std::optional<VmaGeometry>{};
  if (status < 0) return ioctl_error(errno, "ioctl PROCMAP_QUERY failed", maps);
  return std::optional{VmaGeometry{
      .start = argument.vma_start,
      .end = argument.vma_end,
      .has_file = argument.inode != 0 || argument.dev_major != 0 || argument.dev_minor != 0}};
}

Result<std::vector<std::string>> LiveKernelView::list(const KernelFile& directory) {
  // A duplicate shares the position: rewinddir() makes the second listing of a handle whole again.
  UniqueFd copy{::fcntl(directory.handle(), F_DUPFD_CLOEXEC, 0)};
  if (!copy) return error_from_errno(errno, "cannot duplicate the descriptor", directory.path());
  const std::unique_ptr<DIR, DirectoryCloser> stream{::fdopendir(copy.get())};
  if (stream == nullptr) return error_from_errno(errno, "cannot list", directory.path());
  static_cast<void>(copy.release());
  ::rewinddir(stream.get());
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* const entry = ::readdir(stream.get());
    if (entry == nullptr) break;
    const std::string_view name{&entry->d_name[0]};
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return error_from_errno(errno, "cannot list", directory.path());
  return names;
}

Result<std::string> LiveKernelView::read_link(const KernelFile& directory,
                                              const std::string& path) {
  for (std::size_t size = 256;; size *= 2) {
    std::string target(size, '\0');
    const ssize_t length =
        ::readlinkat(directory.handle(), path.c_str(), target.data(), target.size());
    if (length < 0) {
      return error_from_errno(errno, "cannot read the link", joined(directory.path(), path));
    }
    if (static_cast<std::size_t>(length) < size) {
      target.resize(static_cast<std::size_t>(length));
      return target;
    }
    if (size >= kLongestLink) {
      return error_from_errno(ENAMETOOLONG, "cannot read the link", joined(directory.path(), path));
    }
  }
}

Result<FileIdentity> LiveKernelView::identify(const KernelFile& directory,
                                              const std::string& path) {
  struct stat status {};
  if (::fstatat(directory.handle(), path.c_str(), &status, 0) < 0) {
    return error_from_errno(errno, "cannot stat", joined(directory.path(), path));
  }
  const Nanoseconds changed =
      std::chrono::seconds{status.st_ctim.tv_sec} + Nanoseconds{status.st_ctim.tv_nsec};
  return FileIdentity{
      .device = status.st_dev, .inode = status.st_ino, .change_time_ns = changed.count()};
}

Result<std::uint32_t> LiveKernelView::owner(const KernelFile& directory) {
  struct stat status {};
  if (::fstat(directory.handle(), &status) < 0) {
    return error_from_errno(errno, "cannot stat", directory.path());
  }
  return status.st_uid;
}

bool LiveKernelView::process_exists(int pid) {
  if (pid <= 0) return false;  // kill(2) would mean a process group
  return ::kill(pid, 0) == 0 || errno == EPERM;
}

Result<bool> LiveKernelView::same_mm(int pid, int other_pid) {
  const long order = ::syscall(SYS_kcmp, pid, other_pid, KCMP_VM, 0UL, 0UL);
  if (order < 0) {
    return error_from_errno(errno, "cannot compare the memory of processes " + std::to_string(pid) +
                                       " and " + std::to_string(other_pid) + " (kcmp)");
  }
  return order == 0;
}

Nanoseconds LiveKernelView::monotonic_now() { return clock_now(CLOCK_MONOTONIC); }

Nanoseconds LiveKernelView::wall_now() { return clock_now(CLOCK_REALTIME); }

void LiveKernelView::sleep_for(Nanoseconds duration) {
  if (duration <= Nanoseconds::zero()) return;
  const timespec until = to_timespec(clock_now(CLOCK_MONOTONIC) + duration);
  while (::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) == EINTR) {
  }
}

std::uint64_t LiveKernelView::entropy() {
  std::uint64_t bits = 0;
  const ssize_t got = retry_interrupted([&] { return ::getrandom(&bits, sizeof bits, 0); });
  // Only a kernel without getrandom(2) gets here; a pause needs no secret, just no fixed seed.
  if (got != static_cast<ssize_t>(sizeof bits)) {
    bits = static_cast<std::uint64_t>(clock_now(CLOCK_MONOTONIC).count());
  }
  return bits;
}

}  // namespace smaps_audit
