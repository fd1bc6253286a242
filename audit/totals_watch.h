// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "audit/identities.h"
#include "audit/verdict.h"
#include "audit/vma_watch.h"
#include "collect/kernel_capabilities.h"
#include "collect/target.h"
#include "parsers/smaps.h"

namespace smaps_audit {

/// How far VmRSS may be off on this kernel, in bytes, both ways (docs/kernel.md §2): nothing where
/// the counters are summed on read, else the wider of the per-thread and the per-CPU bound.
std::uint64_t rss_counter_slack(const KernelCapabilities& capabilities, std::uint64_t threads,
                                const PageGeometry& pages);

/// Sums over one read of smaps, and what of it can't be compared with a page walk.
struct SmapsSums {
  std::array<std::uint64_t, kSmapsFieldCount> bytes{};
  std::uint32_t present = 0;  ///< bit per SmapsField
  std::uint64_t vmas = 0;
  std::uint64_t size_bytes = 0;      ///< without [vsyscall], which VmSize leaves out too
  std::uint64_t uncompared_rss = 0;  ///< Rss of pfnmap VMAs: pagemap never shows them (K07)
  std::uint64_t pfnmap_size = 0;     ///< what VmRSS may hold of them

  void add(const SmapsRecord& record, const VmaTraits& traits);
  [[nodiscard]] std::optional<std::uint64_t> get(SmapsField field) const;
};

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
  void on_smaps(const SmapsSums& sums);
  void on_rollup(const SmapsRecord& rollup);
  /// Sum of anon= over one read of numa_maps, hugetlb left out. Bytes.
  void on_numa_anon(std::uint64_t bytes) { numa_anon_.add(bytes); }
  void on_status(const StatusNumbers& status, const ProcStatm& statm, const PageGeometry& pages);
  /// The walk's [ΣL*, ΣU*] after the newest pass, uncompared VMAs left out.
  void on_walk(Interval resident) { walk_ = resident; }

  /// What contradicts so far. `smaps_missing`: [least, most] bytes that smaps itself has wrong by
  /// its own findings; `same_missing`: the named VMAs' error if the rollup repeats it. `asleep`
  /// lets the checks speak that a running target makes meaningless.
  [[nodiscard]] std::vector<Finding> findings(bool asleep, Interval smaps_missing, bool smaps_exact,
                                              const std::optional<Finding>& smaps_finding,
                                              std::uint64_t counter_slack) const;
  /// Does every read so far contradict something?
  [[nodiscard]] bool contradicted(bool maybe_asleep, std::uint64_t counter_slack) const;
  /// The finding about another field of smaps, if the rollup repeats it: nothing else keeps the two
  /// apart. `field` is the one that it is about.
  [[nodiscard]] std::optional<Finding> repeated(SmapsField field, const Finding& of_smaps) const;
  /// Could more reads still make a finding? A rollup that is right now and then is in suspense
  /// without being contradicted.
  [[nodiscard]] bool alive(bool maybe_asleep, std::uint64_t counter_slack) const;

  /// Is the rollup short in some reads and right in others, and not read often enough to tell?
  [[nodiscard]] bool wants_more_rollups() const;

  /// Does anon= of numa_maps lie apart from smaps in every read so far?
  [[nodiscard]] bool disputes_numa_maps() const;

 private:
  [[nodiscard]] Interval rollup_expected() const;
  [[nodiscard]] Interval numa_anon_expected() const;
  [[nodiscard]] bool any_field_disputed() const;
  [[nodiscard]] bool rollup_record_broken() const;
  [[nodiscard]] bool rss_anon_sides_with_smaps() const;
  [[nodiscard]] Interval status_expected() const;
  [[nodiscard]] Contradiction rollup_walk() const;
  [[nodiscard]] std::uint64_t short_rollups() const;
  [[nodiscard]] bool rollup_mostly_short() const;
  [[nodiscard]] bool rollup_may_be_short() const;
  [[nodiscard]] Contradiction status_walk(std::uint64_t counter_slack) const;
  void add_rollup(std::vector<Finding>& findings, bool asleep, Interval smaps_missing,
                  bool smaps_exact, const std::optional<Finding>& smaps_finding) const;
  void add_rollup_fields(std::vector<Finding>& findings) const;
  void add_numa_anon(std::vector<Finding>& findings, bool asleep,
                     std::uint64_t counter_slack) const;
  void settle_anonymous(std::vector<Finding>& findings) const;
  void add_status(std::vector<Finding>& findings, bool asleep, std::uint64_t counter_slack) const;
  [[nodiscard]] std::optional<Finding> field_finding(SmapsField field) const;

  std::array<Extremes, kSmapsFieldCount> smaps_{};
  std::array<Extremes, kSmapsFieldCount> rollup_{};
  Extremes numa_anon_;
  Extremes size_;
  std::vector<std::uint64_t> rollup_reads_;  ///< Rss of every read: K03 lies only now and then
  Extremes uncompared_rss_;
  Extremes pfnmap_size_;
  Extremes vm_rss_;
  Extremes vm_size_;
  Extremes rss_anon_;
  Extremes statm_resident_;
  std::uint64_t largest_vmas_ = 0;
  std::optional<BrokenIdentity> rollup_identity_;
  std::optional<BrokenIdentity> status_identity_;
  std::uint64_t rollup_identity_breaks_ = 0;
  std::uint64_t status_identity_breaks_ = 0;
  Interval walk_;
};

}  // namespace smaps_audit
