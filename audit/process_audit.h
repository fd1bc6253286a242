// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "audit/totals_watch.h"
#include "audit/verdict.h"
#include "audit/vma_watch.h"
#include "base/page_geometry.h"
#include "collect/kernel_capabilities.h"
#include "collect/sample_sink.h"

namespace smaps_audit {

struct ProcessAuditOptions {
  bool full_series = false;
  bool confirm = true;
  bool frozen = false;
};

/// Folds the samples of one process into a verdict (docs/method.md §3–§10): the screen finds
/// suspects, the series confirms them or lets them go. Does no I/O. Its memory grows with the
/// suspects, not with the VMAs, unless a total of the process is suspect or `full_series` is set.
class ProcessAudit final : public SampleSink {
 public:
  ProcessAudit(const KernelCapabilities& capabilities, const PageGeometry& pages,
               const ProcessAuditOptions& options);

  void on_chunk(const Chunk& chunk) override;
  void on_numa(const NumaMapsText& text) override;
  void on_rollup(const SmapsRecord& rollup) override;
  void on_sweep_end(const SweepEnd& end) override;
  SeriesPlan plan_series() override;
  bool wants_numa() override;
  void on_listing(const SmapsText& text) override;
  std::span<const Range> watched_ranges() override;
  void on_pass(const PagePass& pass, const PagePass* plain) override;
  std::span<const Range> counted_ranges() override;
  void on_mappings(const PagePass& counted) override;
  void on_series_smaps(const SmapsText& text) override;
  void on_series_numa(const NumaMapsText& text) override;
  void on_series_rollup(const SmapsRecord& rollup) override;
  void on_series_status(const StatusNumbers& status, const ProcStatm& statm) override;
  StepDecision on_step(unsigned step, const std::optional<Stillness>& still) override;

  /// Fills in everything that was learnt; to be called once, after the last sample.
  void conclude(ProcessReport& report);
  /// The sampling was broken off, but a series that was finished before has proved something.
  [[nodiscard]] bool has_findings() const { return !findings_.empty(); }

  /// A page of a VMA that was told, for the identity check after the last read. nullopt: smaps had
  /// no VMA at all, so the mm behind its descriptor is gone (docs/method.md §2).
  [[nodiscard]] std::optional<std::uint64_t> known_page() const { return known_page_; }

 private:
  struct Suspect {
    Range range;
    VmaTraits traits;
    bool uncovered = false;
    std::uint64_t reported = 0;  ///< Rss of the screen
    Interval expected;           ///< [L, U] of the screen
    std::string name;
  };

  struct Moved {
    Range range;
    VmaTraits traits;
  };

  /// One bracket, kept until H, C and A of the whole sweep are known (docs/method.md §4).
  struct ChunkSum {
    Interval resident;
    Interval pss;
    std::uint64_t size = 0;
    std::uint64_t faults = 0;
    std::uint64_t pages_per_fault = 1;
    bool holds_pmd_range = false;
    bool userfault = false;
  };

  void screen(const SmapsRecord& record, const Chunk& chunk, ChunkSum& sum);
  [[nodiscard]] std::uint64_t slack_of(const ChunkSum& chunk) const;
  Interval pss_between(const SmapsRecord& record, const Chunk& chunk, const PageSets& sets,
                       Interval resident);
  void note_cached_counter(Interval true_rss);
  void add_device_mapping(const SmapsRecord& record);
  void add_watch(Range range, const VmaTraits& traits, bool uncovered);
  void add_suspect(const SmapsRecord& record, const VmaTraits& traits, bool uncovered,
                   Interval expected);
  [[nodiscard]] bool totals_suspect() const;
  [[nodiscard]] bool fields_suspect() const;
  static bool walk_is_unsure(std::string_view reason);
  [[nodiscard]] bool numa_agrees() const;
  [[nodiscard]] bool is_vouched_for(std::string_view reason) const;
  [[nodiscard]] Interval true_rss() const;
  [[nodiscard]] Interval true_pss(Interval true_rss, std::uint64_t unseen) const;
  [[nodiscard]] Interval widened_sum(Interval ChunkSum::*part, Interval resolved) const;
  [[nodiscard]] bool is_beyond_plain_reads(Range range) const;
  [[nodiscard]] VmaWatch* find_watch(std::uint64_t start);
  [[nodiscard]] Interval walk_sum() const;
  bool watches_alive();
  [[nodiscard]] CounterSlack counter_slack() const;
  [[nodiscard]] bool deserves_another_look(const VmaWatch& watch) const;
  void end_series();
  void settle_geometry();
  [[nodiscard]] Basis series_basis() const;
  [[nodiscard]] const Suspect* find_suspect(std::uint64_t start) const;
  void conclude_missed_suspects();
  void conclude_watches();
  void conclude_totals();
  void repeat_missing_fields();
  void conclude_poison();
  void name_excess(Finding& rollup) const;
  void conclude_fields();
  [[nodiscard]] bool is_explained(const Relation& relation) const;
  void conclude_unconfirmed();
  void add_blame(const VmaWatch& watch, const struct Blame& blame);
  void add_finding(Finding finding) { add_to(findings_, std::move(finding)); }
  static void add_to(std::vector<Finding>& list, Finding finding);
  void open(std::uint64_t bytes, std::string_view reason);
  void set_verdict(ProcessReport& report) const;

  const KernelCapabilities& capabilities_;
  PageGeometry pages_;
  ProcessAuditOptions options_;

  // The screen.
  SmapsSums sums_;
  Interval resident_;  ///< Σ[L, U] of covered, compared VMAs
  std::vector<ChunkSum> chunk_sums_;
  Interval special_resident_;  ///< the part of it that numa_maps leaves out
  std::uint64_t numa_bytes_ = 0;
  NumaSums numa_sums_;
  bool numa_read_ = false;
  std::uint64_t unknown_fields_ = 0;
  std::uint64_t audited_bytes_ = 0;
  std::optional<SmapsRecord> rollup_record_;  ///< of the screen; its name points nowhere
  bool identity_broken_ = false;              ///< by a record of smaps, in the screen
  SweepEnd end_;
  std::vector<Suspect> suspects_;
  std::optional<std::uint64_t> known_page_;

  // The series.
  SeriesPlan plan_;
  std::vector<VmaWatch> watches_;  ///< ascending
  std::vector<Range> ranges_;
  std::vector<Range> counted_ranges_;
  std::map<std::uint64_t, Moved> moved_;  ///< start of a watch → what was there instead
  SmapsSums step_sums_;
  std::vector<FindingVma> device_mappings_;  ///< that private copies may be in (K07)
  std::optional<NumaSums> step_numa_;
  std::uint64_t unknown_vma_bytes_ = 0;  ///< of VMAs that no watch covers, in this read
  std::uint64_t largest_unknown_vma_bytes_ = 0;
  TotalsWatch totals_;
  std::vector<Relation> vma_relations_;  ///< of the fields of single VMAs, after a series
  unsigned steps_ = 0;
  bool asleep_ = false;
  bool sleep_asked_ = false;
  bool in_execve_ = false;  ///< a sleeping thread may be
  std::optional<std::uint64_t> hardware_corrupted_;
  bool numa_contested_ = false;
  unsigned series_done_ = 0;
  bool totals_done_ = false;

  // The outcome.
  std::map<std::string_view, std::uint64_t>
      open_bytes_;                         ///< reason → bytes that could hide an error
  std::uint64_t poisoned_ = 0;             ///< in Rss and lost, by the counters (K08)
  std::optional<Interval> unseen_copies_;  ///< that no walk shows (K07), in bytes
  std::optional<Interval> series_walk_;    ///< [ΣL*, ΣU*] of a series over the whole mm
  std::uint64_t series_low_ = 0;           ///< Σ L* of any series of three steps or more
  Interval resolved_;                      ///< [L*, U*] of VMAs that only the series covered
  Interval resolved_pss_;
  std::vector<Finding> findings_;
  std::vector<Finding> notes_;
  std::set<std::uint64_t> blamed_;  ///< starts of VMAs that a finding is about
  std::map<std::uint64_t, Interval>
      amended_walks_;  ///< starts of VMAs whose page walk was the liar → what the others support
  Interval smaps_missing_;
  bool smaps_exact_ = true;
  unsigned longest_suspicion_ = 0;
};

}  // namespace smaps_audit
