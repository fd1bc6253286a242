// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "audit/field_watch.h"
#include "audit/verdict.h"
#include "audit/vma_watch.h"
#include "collect/kernel_capabilities.h"
#include "collect/target.h"
#include "parsers/smaps.h"

namespace smaps_audit {

/// How far a counter may be off on this kernel, in bytes, both ways (docs/kernel.md §2): nothing
/// where the counters are summed on read, else the wider of the per-thread and the per-CPU bound.
std::uint64_t rss_counter_slack(const KernelCapabilities& capabilities, std::uint64_t threads,
                                const PageGeometry& pages);

/// A rollup that is short in most reads, though not in all, takes a series of twice the length, in
/// which this many may be right: C(48,16)·q^65·(1−q)^32 ≤ 5·10⁻¹⁵ for a flicker that is there with
/// any probability q (docs/method.md §6).
inline constexpr std::uint64_t kStepsNowAndThen = 48;
inline constexpr std::uint64_t kRightRollupsAllowed = 16;
/// By so many the right ones may be ahead while the series lasts.
inline constexpr std::uint64_t kRightRollupsFirst = 2;

/// The totals of a process under a running series: the rollup, status and statm against the sums
/// over smaps and over the page walk. Like a VmaWatch: what every read confirms lives.
class TotalsWatch {
 public:
  explicit TotalsWatch(const PageGeometry& pages, bool mapcount_per_page = false)
      : fields_(pages, mapcount_per_page) {}

  void on_smaps(const SmapsSums& sums) { fields_.on_smaps(sums); }
  void on_rollup(const SmapsRecord& rollup);
  void on_numa(const NumaSums& sums) { fields_.on_numa(sums); }
  void on_status(const StatusNumbers& status, const ProcStatm& statm) {
    fields_.on_status(status, statm);
  }
  /// The walk's [ΣL*, ΣU*] after the newest pass, uncompared VMAs left out.
  void on_walk(Interval resident) { walk_ = resident; }

  /// What contradicts the page walk so far: Rss of the rollup (I3) and VmRSS (I4). `smaps_missing`:
  /// [least, most] bytes that smaps itself has wrong by its own findings; `smaps_finding`: of which
  /// the rollup repeats the named VMAs' error.
  [[nodiscard]] std::vector<Finding> findings(bool asleep, Interval smaps_missing, bool smaps_exact,
                                              const std::optional<Finding>& smaps_finding,
                                              CounterSlack slack) const;
  /// K07: what private copies in mappings of devices hold and no walk shows, by the counters of a
  /// sleeping process: of smaps and its rollup, and of numa_maps if it was read often enough.
  /// `mappings`: those of which it may be.
  [[nodiscard]] std::vector<Finding> device_copies(bool asleep, CounterSlack slack,
                                                   const std::vector<FindingVma>& mappings) const;
  /// K08, by the counters: see poisoned_page_findings().
  [[nodiscard]] std::vector<Finding> poisoned_pages(bool asleep, CounterSlack slack,
                                                    std::optional<std::uint64_t> hardware_corrupted,
                                                    const std::vector<FindingVma>& mappings) const;
  /// The relations of all other fields, whether they hold or not (FieldWatch).
  [[nodiscard]] std::vector<Relation> relations(bool asleep, CounterSlack slack) const;

  /// Does every read so far contradict something?
  [[nodiscard]] bool contradicted(bool maybe_asleep, CounterSlack slack) const;
  /// The finding about another field of smaps, if the rollup repeats it: nothing else keeps the two
  /// apart. `field` is the one that it is about.
  [[nodiscard]] std::optional<Finding> repeated(SmapsField field, const Finding& of_smaps) const;
  /// Could more reads still make a finding? A rollup that is right now and then is in suspense
  /// without being contradicted.
  [[nodiscard]] bool alive(bool maybe_asleep, CounterSlack slack) const;
  /// Does a field of numa_maps contradict another witness so far?
  [[nodiscard]] bool numa_contested(CounterSlack slack) const;
  /// Is the rollup short in some reads and right in others, and not read often enough to tell?
  [[nodiscard]] bool wants_more_rollups() const;

 private:
  [[nodiscard]] FieldLimits limits(bool asleep, CounterSlack slack) const {
    return {.asleep = asleep, .slack = slack, .walk = walk_};
  }
  [[nodiscard]] bool copies_unseen(bool asleep, CounterSlack slack) const;
  [[nodiscard]] bool beyond_counters(bool asleep, CounterSlack slack) const;
  [[nodiscard]] Interval rollup_expected() const;
  [[nodiscard]] Interval status_expected() const;
  [[nodiscard]] Contradiction rollup_walk() const;
  [[nodiscard]] Contradiction status_walk(bool asleep, CounterSlack slack) const;
  [[nodiscard]] bool rss_contradicted() const;
  [[nodiscard]] std::vector<Relation> broken_fields(bool asleep, CounterSlack slack) const;
  [[nodiscard]] std::uint64_t short_rollups() const;
  [[nodiscard]] bool rollup_mostly_short() const;
  [[nodiscard]] bool rollup_may_be_short() const;
  void add_rollup(std::vector<Finding>& findings, bool asleep, Interval smaps_missing,
                  bool smaps_exact, const std::optional<Finding>& smaps_finding) const;

  FieldWatch fields_;
  std::vector<std::uint64_t> rollup_reads_;  ///< Rss of every read: K03 lies only now and then
  Interval walk_;
};

}  // namespace smaps_audit
