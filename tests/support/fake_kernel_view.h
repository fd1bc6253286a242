// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "collect/kernel_view.h"

namespace smaps_audit {

/// A kernel made of values, for unit tests. Files are named by their full path, "/proc/7/smaps";
/// what was not set is ENOENT. Everything may be changed between two calls, also from `on_call`.
///
///   FakeKernelView kernel;
///   kernel.set_file("/proc/7/status", "VmRSS:\t 8 kB\n");
///   kernel.set_chunks("/proc/7/smaps", {first_records, more_records});
///   kernel.set_words("/proc/7/pagemap", {{0x7f0000000000 / 4096, kPresentWord}});
///   kernel.set_scan("/proc/7/pagemap", {{0x7f0000000000, 0x7f0000001000, page_is::kPresent}});
///   kernel.set_vmas("/proc/7/maps", {{.start = 0x7f0000000000, .end = 0x7f0000001000}});
class FakeKernelView final : public KernelView {
 public:
  /// A file of one text: read in pieces of the caller's size.
  void set_file(const std::string& path, std::string content);
  /// A seq_file: each read(2) gives one chunk, then 0. A chunk longer than the buffer is cut.
  void set_chunks(const std::string& path, std::vector<std::string> chunks);
  /// A pagemap, read with pread: words by page index, 0 in between, up to `pages` (an end of file).
  void set_words(const std::string& path, std::map<std::uint64_t, std::uint64_t> words,
                 std::uint64_t pages = std::uint64_t{1} << 52);
  /// What PAGEMAP_SCAN tells of that file: clipped to the range and to the masks. ENOTTY if not
  /// set.
  void set_scan(const std::string& path, std::vector<PageRegion> regions);
  /// What PROCMAP_QUERY tells of that file, ascending. ENOTTY if not set.
  void set_vmas(const std::string& path, std::vector<VmaGeometry> vmas);
  void set_directory(const std::string& path, std::vector<std::string> names);
  void set_link(const std::string& path, std::string target);
  void set_identity(const std::string& path, FileIdentity identity);
  void set_owner(const std::string& path, std::uint32_t uid);
  /// Every call about that path fails with it; 0 takes that back.
  void set_errno(const std::string& path, int errno_value);
  /// The path and everything below it is gone (ENOENT); handles that are open read ESRCH.
  void remove(const std::string& path);

  void set_process(int pid, bool exists);
  void set_same_mm(int pid, int other_pid, bool same);
  void set_time(Nanoseconds monotonic, Nanoseconds wall);
  /// Every call takes that long.
  void set_call_time(Nanoseconds each) { call_time_ = each; }
  void set_entropy(std::uint64_t bits) { entropy_ = bits; }
  /// Runs before every call about a file, with the operation's name ("read", "pagemap_scan", …) and
  /// the path: to change the kernel between two reads.
  void on_call(std::function<void(std::string_view operation, const std::string& path)> hook) {
    hook_ = std::move(hook);
  }

  /// Calls so far, "read /proc/7/smaps", in order.
  [[nodiscard]] const std::vector<std::string>& calls() const { return calls_; }
  [[nodiscard]] Nanoseconds slept() const { return slept_; }
  [[nodiscard]] std::size_t open_files() const { return handles_.size(); }

  Result<KernelFile> open(KernelRoot root, const std::string& path) override;
  Result<KernelFile> open_directory(KernelRoot root, const std::string& path) override;
  Result<KernelFile> open_at(const KernelFile& directory, const std::string& path) override;
  Result<KernelFile> open_directory_at(const KernelFile& directory,
                                       const std::string& path) override;
  Result<std::size_t> read(const KernelFile& file, std::span<std::byte> buffer) override;
  Result<std::size_t> pread(const KernelFile& file, std::span<std::byte> buffer,
                            std::uint64_t offset) override;
  Result<Ok> rewind(const KernelFile& file) override;
  Result<PagemapScanAnswer> pagemap_scan(const KernelFile& pagemap, std::uint64_t start,
                                         std::uint64_t end, std::uint64_t category_anyof,
                                         std::uint64_t return_mask,
                                         std::span<PageRegion> regions) override;
  Result<std::optional<VmaGeometry>> procmap_query(const KernelFile& maps,
                                                   std::uint64_t address) override;
  Result<std::vector<std::string>> list(const KernelFile& directory) override;
  Result<std::string> read_link(const KernelFile& directory, const std::string& path) override;
  Result<FileIdentity> identify(const KernelFile& directory, const std::string& path) override;
  Result<std::uint32_t> owner(const KernelFile& directory) override;
  bool process_exists(int pid) override;
  Result<bool> same_mm(int pid, int other_pid) override;
  Nanoseconds monotonic_now() override;
  Nanoseconds wall_now() override;
  void sleep_for(Nanoseconds duration) override;
  std::uint64_t entropy() override;

 private:
  struct File {
    std::vector<std::string> chunks = {};  ///< one, unless set_chunks
    bool seq_file = false;
    bool is_pagemap = false;
    std::map<std::uint64_t, std::uint64_t> words = {};
    std::uint64_t pages = 0;
    std::optional<std::vector<PageRegion>> regions = {};
    std::optional<std::vector<VmaGeometry>> vmas = {};
  };
  struct Handle {
    std::string path;
    std::size_t chunk = 0;
    std::size_t offset = 0;
  };

  void close(int handle) override;
  Result<Ok> begin(std::string_view operation, const std::string& path);
  Result<KernelFile> open_path(std::string_view operation, const std::string& path, bool directory);
  [[nodiscard]] bool is_directory(const std::string& path) const;
  Result<File*> file_of(std::string_view operation, const KernelFile& file);

  std::map<std::string, File> files_;
  std::map<std::string, std::vector<std::string>> directories_;
  std::map<std::string, std::string> links_;
  std::map<std::string, FileIdentity> identities_;
  std::map<std::string, std::uint32_t> owners_;
  std::map<std::string, int> errnos_;
  std::set<int> processes_;
  std::map<std::pair<int, int>, bool> same_mm_;
  std::map<int, Handle> handles_;
  int last_handle_ = 0;
  Nanoseconds monotonic_{std::chrono::seconds{1000}};
  Nanoseconds wall_{std::chrono::seconds{1700000000}};
  Nanoseconds call_time_{1000};
  Nanoseconds slept_{0};
  std::uint64_t entropy_ = 1;
  std::function<void(std::string_view, const std::string&)> hook_;
  std::vector<std::string> calls_;
};

}  // namespace smaps_audit
