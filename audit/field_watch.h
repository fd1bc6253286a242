// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "audit/identities.h"
#include "audit/relation.h"
#include "audit/smaps_sums.h"
#include "audit/vma_watch.h"

namespace smaps_audit {

/// anon= and dirty= of one read of numa_maps, hugetlb left out. Bytes.
struct NumaSums {
  std::uint64_t anon = 0;
  std::uint64_t dirty = 0;

  void add(const NumaMapsRecord& record, const PageGeometry& pages) {
    anon += pages.bytes(record.anon_pages.value_or(0));
    dirty += pages.bytes(record.dirty_pages.value_or(0));
  }
};

/// How far the counters of status and statm may be from the pages, in bytes.
struct CounterSlack {
  std::uint64_t bytes = 0;        ///< of each of them, both ways
  std::uint64_t anon_excess = 0;  ///< instead: by how much RssAnon, and so VmRSS, may be too much
};

/// Where VmRSS may be of a process that has so many pages. Bytes.
Interval counted_rss(Interval pages, const CounterSlack& slack);

/// What limits the relations between witnesses at this point of a series.
struct FieldLimits {
  /// Asks what a running target makes meaningless: the witnesses are read one after the other, and
  /// status always last.
  bool asleep = false;
  CounterSlack slack;
  Interval walk;  ///< [ΣL*, ΣU*]
};

/// Every field of smaps, its rollup, numa_maps, status and statm under a running series, as totals
/// of the process. Which of their relations hold, not who lies: that is accuse()'s.
class FieldWatch {
 public:
  explicit FieldWatch(const PageGeometry& pages, bool mapcount_per_page = false)
      : pages_(pages), mapcount_per_page_(mapcount_per_page) {}

  void on_smaps(const SmapsSums& sums);
  void on_rollup(const SmapsRecord& rollup);
  void on_numa(const NumaSums& sums);
  void on_status(const StatusNumbers& status, const ProcStatm& statm);

  /// All that may be asked, whether it holds or not. One that is broken is a suspicion until its
  /// `reads` are a whole series.
  [[nodiscard]] std::vector<Relation> relations(const FieldLimits& limits) const;

  [[nodiscard]] const Extremes& smaps(SmapsField field) const { return smaps_[at(field)]; }
  [[nodiscard]] const Extremes& rollup(SmapsField field) const { return rollup_[at(field)]; }
  [[nodiscard]] std::uint64_t rounding_bytes(SmapsField field) const {
    return rounding_[at(field)];
  }
  [[nodiscard]] const Extremes& vm_rss() const { return vm_rss_; }
  [[nodiscard]] const Extremes& uncompared_rss() const { return uncompared_rss_; }
  [[nodiscard]] const Extremes& numa_anon() const { return numa_anon_; }
  [[nodiscard]] const Extremes& device_copy_size() const { return device_copy_size_; }
  [[nodiscard]] const Extremes& device_copy_rss() const { return device_copy_rss_; }

  /// Anonymous memory of a sleeping process that RssAnon has and a witness with this Anonymous
  /// leaves out, where mappings of devices can hold it that this witness owns to nothing in (K07):
  /// [the least, the most]. nullopt: none, or more than they can hold.
  [[nodiscard]] std::optional<Interval> unseen_copies(const Extremes& anonymous,
                                                      const FieldLimits& limits) const;
  /// By how much a witness with this Rss tells more of a sleeping process than counters that are
  /// exact, in every read. nullopt: it doesn't, or they aren't.
  [[nodiscard]] std::optional<std::uint64_t> beyond_counters(const Extremes& rss,
                                                             const FieldLimits& limits) const;

 private:
  static std::size_t at(SmapsField field) { return static_cast<std::size_t>(field); }

  [[nodiscard]] std::uint64_t room_for_copies() const;
  void add_rollup(std::vector<Relation>& relations) const;
  void add_shares(std::vector<Relation>& relations, const FieldLimits& limits) const;
  void add_flags(std::vector<Relation>& relations) const;
  void add_walk(std::vector<Relation>& relations, const FieldLimits& limits) const;
  void add_numa(std::vector<Relation>& relations, const FieldLimits& limits) const;
  void add_counters(std::vector<Relation>& relations, const FieldLimits& limits) const;
  void add_swap(std::vector<Relation>& relations, const FieldLimits& limits) const;
  void add_statm(std::vector<Relation>& relations) const;
  void add_own_records(std::vector<Relation>& relations) const;

  PageGeometry pages_;
  bool mapcount_per_page_;
  std::array<Extremes, kSmapsFieldCount> smaps_{};
  std::array<Extremes, kSmapsFieldCount> rollup_{};
  std::array<std::uint64_t, kSmapsFieldCount> rounding_{};  ///< the most that was seen
  Extremes size_;
  Extremes uncompared_rss_;
  Extremes device_copy_size_;
  Extremes device_copy_rss_;
  Extremes numa_unseen_rss_;
  Extremes file_swap_;
  Extremes locked_by_flags_;
  Extremes hugetlb_vmas_;
  Extremes pss_of_anonymous_;
  Extremes pss_with_anonymous_;
  Extremes numa_anon_;
  Extremes numa_dirty_;
  Extremes vm_size_;
  Extremes vm_rss_;
  Extremes rss_anon_;
  Extremes rss_file_;
  Extremes rss_shmem_;
  Extremes vm_swap_;
  Extremes statm_size_;
  Extremes statm_resident_;
  Extremes statm_shared_;
  // Of one record: what every read of it breaks, with the numbers of the last.
  std::optional<KeptRecord> last_rollup_;
  std::uint32_t rollup_always_broken_ = UINT32_MAX;
  std::uint32_t rollup_ever_broken_ = 0;
  std::uint64_t rollup_reads_ = 0;
  std::vector<Relation> last_status_;  ///< broken or not, those of status and of statm
  std::vector<std::uint64_t> status_breaks_;
  std::uint64_t status_reads_ = 0;
};

}  // namespace smaps_audit
