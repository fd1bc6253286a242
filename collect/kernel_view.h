// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "parsers/pagemap.h"

namespace smaps_audit {

using Nanoseconds = std::chrono::nanoseconds;

class KernelView;

/// An open file or directory of a view; closes itself. Moves, never copies.
class KernelFile {
 public:
  KernelFile() = default;
  KernelFile(KernelView* view, int handle, std::string path)
      : view_(view), handle_(handle), path_(std::move(path)) {}
  KernelFile(KernelFile&& other) noexcept;
  KernelFile& operator=(KernelFile&& other) noexcept;
  KernelFile(const KernelFile&) = delete;
  KernelFile& operator=(const KernelFile&) = delete;
  ~KernelFile();

  [[nodiscard]] explicit operator bool() const { return view_ != nullptr; }
  [[nodiscard]] int handle() const { return handle_; }
  /// As a person would name it: "/proc/1234/smaps".
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  KernelView* view_ = nullptr;
  int handle_ = -1;
  std::string path_;
};

/// An error of a parser, which knows no paths, with the file that it is about.
Error in_file(Error error, const KernelFile& file);

enum class KernelRoot : std::uint8_t { proc, sys };

/// Answer of PROCMAP_QUERY (6.11): the VMA that covers an address, or the next one above it.
struct VmaGeometry {
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  bool has_file = false;
  bool operator==(const VmaGeometry&) const = default;
};

struct PagemapScanAnswer {
  std::size_t regions = 0;     ///< how many of the caller's regions were filled
  std::uint64_t walk_end = 0;  ///< where the walk stopped; continue from here
};

/// What tells one file behind a link from another (for /proc/PID/exe without PTRACE_READ).
struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t change_time_ns = 0;
  bool operator==(const FileIdentity&) const = default;
};

/// The one seam to the kernel (docs/design.md, Decided 2): every open, read, pread and ioctl on
/// /proc and /sys, every question about another process, and the time. An audit that sees the same
/// answers reaches the same verdict, which is what capture and replay rest on.
///
///   LiveKernelView       the running kernel                         collect/live_kernel_view.h
///   RecordingKernelView  another view, every answer into a capture collect/recording_kernel_view.h
///   ReplayingKernelView  a capture collect/replaying_kernel_view.h FailingKernelView    another
///   view, chosen calls fail            tests/support BareKernelView       the same calls again,
///   nothing parsed       tests/bench
///
/// Reads return what one system call returned (EINTR retried): short reads and 0 at the end are the
/// caller's business. Errors carry the path. Not thread-safe.
class KernelView {
 public:
  virtual ~KernelView() = default;

  virtual Result<KernelFile> open(KernelRoot root, const std::string& path) = 0;
  virtual Result<KernelFile> open_directory(KernelRoot root, const std::string& path) = 0;
  virtual Result<KernelFile> open_at(const KernelFile& directory, const std::string& path) = 0;
  virtual Result<KernelFile> open_directory_at(const KernelFile& directory,
                                               const std::string& path) = 0;

  virtual Result<std::size_t> read(const KernelFile& file, std::span<std::byte> buffer) = 0;
  virtual Result<std::size_t> pread(const KernelFile& file, std::span<std::byte> buffer,
                                    std::uint64_t offset) = 0;
  /// Back to offset 0 (lseek), so that a seq_file is generated anew.
  virtual Result<Ok> rewind(const KernelFile& file) = 0;

  /// PAGEMAP_SCAN over [start, end): pages with any of `category_anyof`, reporting `return_mask`.
  virtual Result<PagemapScanAnswer> pagemap_scan(const KernelFile& pagemap, std::uint64_t start,
                                                 std::uint64_t end, std::uint64_t category_anyof,
                                                 std::uint64_t return_mask,
                                                 std::span<PageRegion> regions) = 0;
  /// PROCMAP_QUERY with COVERING_OR_NEXT_VMA; nullopt: no VMA at or above `address`.
  virtual Result<std::optional<VmaGeometry>> procmap_query(const KernelFile& maps,
                                                           std::uint64_t address) = 0;

  /// Entries of a directory without "." and "..", in the kernel's order.
  virtual Result<std::vector<std::string>> list(const KernelFile& directory) = 0;
  /// Target of a symbolic link, byte for byte.
  virtual Result<std::string> read_link(const KernelFile& directory, const std::string& path) = 0;
  /// stat(2) through the link.
  virtual Result<FileIdentity> identify(const KernelFile& directory, const std::string& path) = 0;
  /// Owner (uid) of a directory entry itself.
  virtual Result<std::uint32_t> owner(const KernelFile& directory) = 0;

  /// kill(pid, 0): true if a process with this pid is there, also when it belongs to somebody else.
  virtual bool process_exists(int pid) = 0;
  /// kcmp(KCMP_VM): do both use one mm?
  virtual Result<bool> same_mm(int pid, int other_pid) = 0;

  virtual Nanoseconds monotonic_now() = 0;
  virtual Nanoseconds wall_now() = 0;  ///< since 1970-01-01 UTC
  virtual void sleep_for(Nanoseconds duration) = 0;
  /// 64 random bits, to seed the pauses of a series.
  virtual std::uint64_t entropy() = 0;

 private:
  friend class KernelFile;
  virtual void close(int handle) = 0;
};

}  // namespace smaps_audit
