// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <set>

#include "collect/capture_file.h"
#include "collect/kernel_view.h"

namespace smaps_audit {

/// Serves a capture: each call must be the next recorded one, with the same arguments. It never
/// touches the machine and never sleeps; the time is the recorded time.
///
/// The first call that differs is an Error `diverged` which names the capture, the event and both
/// calls; all later calls fail with that same error. One kind of read may be left out, or be asked
/// for in vain: how often frames are mapped (kpagecount) is asked of pages that look shared, so an
/// edited capture asks for other frames than the honest one. It fails as unsupported then. And part
/// of a recorded pread answers a smaller one inside it, as of pages that an edited scan leaves out.
/// Calls without a Result answer 0 or false then,
/// so whoever replays must look at `divergence()` before believing what came out.
class ReplayingKernelView final : public KernelView {
 public:
  /// The reader must outlive the view.
  explicit ReplayingKernelView(CaptureReader& reader) : reader_(reader) {}

  [[nodiscard]] const std::optional<Error>& divergence() const { return divergence_; }

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
  /// The recorded answer to `call`, or the divergence, or the recorded error.
  Result<KernelAnswer> answer(const KernelCall& call);
  Result<std::optional<CaptureEvent>> next_event();
  [[nodiscard]] bool counts_mappings(const KernelCall& call) const;
  std::optional<KernelAnswer> part_of(const CaptureEvent& wider, const KernelCall& call);
  Result<KernelFile> replay_open(const KernelCall& call);
  Result<std::size_t> replay_read(const KernelCall& call, std::span<std::byte> buffer);
  std::uint64_t number(const KernelCall& call);
  Error diverged(const std::string& what);

  CaptureReader& reader_;
  std::optional<CaptureEvent> put_back_;
  std::optional<CaptureEvent> wider_pread_;  ///< the last of which parts were asked
  std::set<std::uint64_t> mapping_counts_handles_;
  std::optional<Error> divergence_;
  Nanoseconds last_monotonic_{0};
  Nanoseconds last_wall_{0};
};

}  // namespace smaps_audit
