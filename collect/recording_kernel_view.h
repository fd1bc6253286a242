// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <unordered_map>

#include "collect/capture_file.h"
#include "collect/kernel_view.h"

namespace smaps_audit {

/// Passes every call on to another view and stores it, with its answer and its time, in a capture.
/// A capture that cannot be written changes no answer: see CaptureWriter::error and finish.
/// Both arguments must outlive it, and it must outlive the files it opened.
class RecordingKernelView final : public KernelView {
 public:
  RecordingKernelView(KernelView& inner, CaptureWriter& writer);

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
  /// Runs `act` on the inner view between two looks at the clock, has `keep` put its result into
  /// the answer, and appends the event.
  template <class Act, class Keep>
  auto recorded(KernelCall call, DataEncoding data, Act act, Keep keep);
  template <class Act, class Keep>
  auto recorded(KernelCall call, Act act, Keep keep);
  template <class Act, class NumberOf>
  auto recorded_value(KernelCall call, Act act, NumberOf number_of);
  template <class Open>
  Result<KernelFile> record_open(KernelCall call, Open open);
  [[nodiscard]] const KernelFile& inner_file(const KernelFile& file) const;

  KernelView& inner_;
  CaptureWriter& writer_;
  std::unordered_map<int, KernelFile> files_;  ///< by our handle: 1, 2, 3 … in the order of opening
  int last_handle_ = 0;
};

}  // namespace smaps_audit
