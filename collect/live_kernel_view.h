// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string>

#include "base/unique_fd.h"
#include "collect/kernel_view.h"

namespace smaps_audit {

/// The running kernel. Only reads: files are opened O_RDONLY, PAGEMAP_SCAN never write-protects.
///
/// Paths are relative to their root and have no leading slash: open(KernelRoot::proc,
/// "1234/smaps"). A root is opened at its first use; one that is not there is the error of that
/// call. Errors name the path with the root and the numeric pid, also below a directory handle.
class LiveKernelView final : public KernelView {
 public:
  static constexpr const char* kProcRoot = "/proc";
  static constexpr const char* kSysRoot = "/sys";

  explicit LiveKernelView(std::string proc_root = kProcRoot, std::string sys_root = kSysRoot);

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
  struct Root {
    std::string path;
    UniqueFd fd;
  };

  void close(int handle) override;
  Result<KernelFile> open_below_root(KernelRoot root, const std::string& path, int flags);
  Result<KernelFile> open_below(int directory, const std::string& directory_path,
                                const std::string& path, int flags);

  std::array<Root, 2> roots_;  ///< by KernelRoot
};

}  // namespace smaps_audit
