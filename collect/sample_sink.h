// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "base/range_set.h"
#include "collect/page_pass.h"
#include "collect/target.h"
#include "parsers/numa_maps.h"
#include "parsers/smaps.h"

namespace smaps_audit {

/// The records of one read(2) of smaps between two page passes. Valid during the call only.
struct Chunk {
  const SmapsText& text;
  const PagePass& before;
  const PagePass& after;
  std::uint64_t faults = 0;  ///< of the target, from before `before` to after `after`
};

/// Several reads that were taken once around a sweep (docs/method.md §4).
struct SweepEnd {
  std::optional<StatusNumbers> status_before;
  std::optional<StatusNumbers> status_after;
  std::optional<ProcStatm> statm;
  std::uint64_t faults = 0;
  std::uint64_t awake_threads = 0;
  bool asleep = false;     ///< every thread, from before the first read to after the last
  bool mm_shared = false;  ///< another thread group may use the mm: its faults are not in `faults`
  std::uint64_t huge_faults = 0;  ///< H of method.md §4, host-wide
  std::uint64_t collapses = 0;    ///< C of method.md §4, host-wide
};

/// What kept the target still while something was observed.
struct Stillness {
  bool asleep =
      false;  ///< proven for the whole series so far, and no fault counted, and the mm not shared
  std::uint64_t faults = 0;
  bool in_execve = true;  ///< a sleeping thread may be: asked for the whole mm only
  std::optional<std::uint64_t> hardware_corrupted = {};  ///< of the host, bytes; likewise
};

/// What the audit wants of a confirming series (docs/method.md §6).
struct SeriesPlan {
  bool wanted = false;
  bool whole_mm = false;  ///< all VMAs and the totals; else only `watched_ranges`
  bool full = false;      ///< never cut short: 24 steps whatever they say (captures)
  /// Something is found already: not worth beginning if the deadline leaves no time to end it.
  bool if_in_time = false;
};

enum class StepDecision : std::uint8_t { go_on, done };

/// Receives samples, judges nothing itself; implemented by audit/. The order of calls:
///
///   (on_chunk | on_numa)* on_rollup? on_sweep_end
///   ( plan_series on_listing* pass ( ‹reads, pass in either order› on_step )* )*
///   pass:  on_pass on_mappings?
///   reads: on_series_smaps*, on_series_rollup?, on_series_numa* in either order, on_series_status
///
/// plan_series is asked again after every series, until it wants none.
class SampleSink {
 public:
  virtual ~SampleSink() = default;

  virtual void on_chunk(const Chunk& chunk) = 0;
  virtual void on_numa(const NumaMapsText& text) = 0;
  virtual void on_rollup(const SmapsRecord& rollup) = 0;
  virtual void on_sweep_end(const SweepEnd& end) = 0;

  virtual SeriesPlan plan_series() = 0;
  /// One read of smaps before the first pass, whole_mm only: which VMAs there are to watch.
  virtual void on_listing(const SmapsText& text) = 0;
  /// Is numa_maps still needed in this step? It decides whom to believe; a few reads of it do.
  virtual bool wants_numa() = 0;
  /// The VMAs to walk in the next pass, ascending and disjoint, bytes. Asked before every pass.
  virtual std::span<const Range> watched_ranges() = 0;
  /// `plain`: the same pages by plain reads, where `pass` is by PAGEMAP_SCAN.
  virtual void on_pass(const PagePass& pass, const PagePass* plain) = 0;
  /// Those of them of which it matters how often their pages are mapped. Asked before every pass.
  virtual std::span<const Range> counted_ranges() { return {}; }
  virtual void on_mappings(const PagePass& /*counted*/) {}
  virtual void on_series_smaps(const SmapsText& text) = 0;
  virtual void on_series_numa(const NumaMapsText& text) = 0;
  virtual void on_series_rollup(const SmapsRecord& rollup) = 0;
  /// Told behind the other reads of a step; a coin decides whether it was read before or behind
  /// them.
  virtual void on_series_status(const StatusNumbers& status, const ProcStatm& statm) = 0;
  /// `still` is there on the steps at which a verdict by sleep is possible (3, 8 and 24).
  virtual StepDecision on_step(unsigned step, const std::optional<Stillness>& still) = 0;
};

}  // namespace smaps_audit
