// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "collect/capture_event.h"
#include "collect/kernel_view.h"

namespace smaps_audit {

/// Another view, of which chosen calls fail with a chosen errno: fault injection.
/// Counted are the calls that can fail; the time, pauses, entropy and process_exists always pass.
class FailingKernelView final : public KernelView {
 public:
  explicit FailingKernelView(KernelView& inner) : inner_(inner) {}

  /// The call with this number fails, 1 being the first.
  void fail_call(std::uint64_t number, int errno_value) { by_number_[number] = errno_value; }
  /// Every call from this number on fails: a process that is gone.
  void fail_from(std::uint64_t number, int errno_value) { from_ = {number, errno_value}; }
  /// Every call about that full path, "/proc/7/smaps", fails; opening it too.
  void fail_path(const std::string& path, int errno_value) { by_path_[path] = errno_value; }
  /// Every call of that kind fails.
  void fail_operation(KernelOperation operation, int errno_value) {
    by_operation_[operation] = errno_value;
  }

  [[nodiscard]] std::uint64_t calls() const { return calls_; }
  [[nodiscard]] std::uint64_t failures() const { return failures_; }

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
  void close(int handle) override;
  [[nodiscard]] std::optional<Error> next_call(KernelOperation operation, const std::string& path);
  template <class Call>
  auto pass_on(KernelOperation operation, const std::string& path, Call call) -> decltype(call());
  template <class Open>
  Result<KernelFile> open_file(KernelOperation operation, const std::string& path, Open open);
  [[nodiscard]] const KernelFile& inner_file(const KernelFile& file) const;

  KernelView& inner_;
  std::map<std::uint64_t, int> by_number_;
  std::map<std::string, int> by_path_;
  std::map<KernelOperation, int> by_operation_;
  std::optional<std::pair<std::uint64_t, int>> from_;
  std::map<int, KernelFile> files_;
  int last_handle_ = 0;
  std::uint64_t calls_ = 0;
  std::uint64_t failures_ = 0;
};

}  // namespace smaps_audit
