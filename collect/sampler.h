// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "base/page_geometry.h"
#include "collect/guards.h"
#include "collect/kernel_capabilities.h"
#include "collect/look_ahead.h"
#include "collect/mm_sharing.h"
#include "collect/page_reader.h"
#include "collect/sample_sink.h"
#include "collect/target.h"

namespace smaps_audit {

/// What one audit of a target may use, and what it used.
struct SampleLimits {
  Nanoseconds deadline{};  ///< monotonic; past it the sample ends with Error `deadline`
  bool random_pauses = true;
  MmSharing* sharing = nullptr;  ///< kept between audits; nullptr: everybody is looked at
};
struct SampleCost {
  std::uint64_t text_bytes = 0;
  std::uint64_t reads = 0;
  Nanoseconds reading{};         ///< inside system calls that hold the target's mmap_lock
  Nanoseconds predicted_lock{};  ///< longest single hold, from VmPTE before any lock is taken
};

/// Reads that a finding takes, of a sleeping target too: others can change its memory without a
/// fault of its own (docs/method.md §6).
inline constexpr unsigned kSeriesSteps = 24;
/// The first step at which a series asks whether the target still sleeps.
inline constexpr unsigned kFirstSleepStep = 3;
/// Reads of numa_maps that tell whose side it takes; to be accused itself takes the whole series.
inline constexpr unsigned kNumaMapsSteps = 8;
/// VMAs that would take more address space than this in plain reads are left out (docs/method.md
/// §3).
inline constexpr std::uint64_t kPlainAddressBudgetBytes = std::uint64_t{256} << 30;

/// Takes the samples of one target in the order of docs/method.md §3 and §6 and hands them to a
/// sink. Holds one chunk, never a process.
class Sampler {
 public:
  Sampler(KernelView& view, const KernelCapabilities& capabilities, const PageGeometry& pages,
          const Target& target, const SampleLimits& limits);

  /// The screening sweep. Errors: `gone`, `denied`, `malformed`, `deadline`.
  Result<Ok> sweep(SampleSink& sink);
  /// The confirming series that the sink plans, one after the other. Same errors.
  Result<Ok> confirm(SampleSink& sink);

  [[nodiscard]] const SampleCost& cost() const { return cost_; }

 private:
  Result<Ok> within_deadline(const KernelFile& file) const;
  Result<std::string_view> read_text(const KernelFile& file);
  template <class Callback>
  Result<Ok> each_smaps_text(std::uint64_t until, const Callback& callback);
  template <class Callback>
  Result<Ok> each_numa_text(std::uint64_t until, const Callback& callback);
  template <class Callback>
  Result<Ok> read_rollup(const Callback& callback);
  Result<Ok> sweep_chunks(SampleSink& sink);
  Result<Ok> sweep_totals(SampleSink& sink);
  Result<Ok> look_ahead_pass(const SmapsText& text, PagePass& pass);
  Result<Ok> series(SampleSink& sink, const SeriesPlan& plan);
  Result<Ok> series_step(SampleSink& sink, bool whole_mm);
  Result<Ok> series_pass(SampleSink& sink);
  Result<Ok> walk_plain_once(std::span<const Range> ranges, std::span<const Range> counted);
  Result<Ok> series_reads(SampleSink& sink, bool whole_mm);
  Result<Ok> series_rollup(SampleSink& sink);
  void pause();
  bool coin();
  [[nodiscard]] std::size_t expected_vmas() const;
  [[nodiscard]] bool too_late_for(const SeriesPlan& plan) const;

  KernelView& view_;
  const KernelCapabilities& capabilities_;
  PageGeometry pages_;
  const Target& target_;
  SampleLimits limits_;
  PageReader reader_;
  LookAhead look_ahead_;
  std::string buffer_;
  std::size_t largest_chunk_ = 0;
  std::uint64_t address_budget_ = kPlainAddressBudgetBytes;
  std::uint64_t budgeted_until_ = 0;  ///< VMAs below were charged, or left out
  RangeSet left_out_;
  std::vector<Range> vmas_;
  RangeSet without_file_;  ///< those of them that map no file
  PagePass pass_;
  PagePass plain_;
  std::mt19937_64 random_;
  Nanoseconds last_bracket_{};
  Nanoseconds sweep_took_{};
  SampleCost cost_;
};

}  // namespace smaps_audit
