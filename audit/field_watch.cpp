// SPDX-License-Identifier: Apache-2.0
#include "audit/field_watch.h"

#include <algorithm>
#include <initializer_list>
#include <utility>

#include "audit/numa_relations.h"

namespace smaps_audit {
namespace {

using Field = SmapsField;

/// Fields that smaps and its rollup both have, and that mean the same in both. Rss is not among
/// them: both are compared with the page walk.
constexpr std::array kSharedFields = {Field::pss,
                                      Field::pss_dirty,
                                      Field::shared_clean,
                                      Field::shared_dirty,
                                      Field::private_clean,
                                      Field::private_dirty,
                                      Field::referenced,
                                      Field::anonymous,
                                      Field::ksm,
                                      Field::lazy_free,
                                      Field::anon_huge_pages,
                                      Field::shmem_pmd_mapped,
                                      Field::file_pmd_mapped,
                                      Field::shared_hugetlb,
                                      Field::private_hugetlb,
                                      Field::swap,
                                      Field::swap_pss,
                                      Field::locked};

Term of_smaps(Field field, const Extremes& said, std::int64_t factor = 1) {
  return term_of(Interface::smaps, field, said, factor);
}

Term of_rollup(Field field, const Extremes& said, std::int64_t factor = 1) {
  return term_of(Interface::smaps_rollup, field, said, factor);
}

bool all_seen(std::initializer_list<const Extremes*> extremes) {
  return std::all_of(extremes.begin(), extremes.end(), [](const Extremes* e) { return e->seen(); });
}

std::uint64_t least_reads(std::initializer_list<const Extremes*> extremes) {
  std::uint64_t least = UINT64_MAX;
  for (const Extremes* each : extremes) least = std::min(least, each->reads);
  return least;
}

std::uint64_t less_by(std::uint64_t from, std::uint64_t amount) {
  return from > amount ? from - amount : 0;
}

std::uint64_t saturating_sum(std::uint64_t a, std::uint64_t b) {
  return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/// What may be more and less on one side than on the other.
struct Tolerance {
  std::uint64_t less = 0;
  std::uint64_t more = 0;
};

Relation relation(std::string_view check, std::string_view text, std::vector<Term> terms,
                  Tolerance tolerance, std::uint64_t reads) {
  return {.check = check,
          .text = text,
          .terms = std::move(terms),
          .low = -amount(tolerance.less),
          .high = amount(tolerance.more),
          .reads = reads};
}

void add_if(Extremes& extremes, const std::optional<std::uint64_t>& value) {
  if (value) extremes.add(*value);
}

}  // namespace

Interval counted_rss(Interval pages, const CounterSlack& slack) {
  return {less_by(pages.low, slack.bytes), saturating_sum(pages.high, slack.anon_excess)};
}

void FieldWatch::on_smaps(const SmapsSums& sums) {
  for (std::size_t i = 0; i < kSmapsFieldCount; ++i) {
    const auto field = static_cast<Field>(i);
    add_if(smaps_[i], sums.get(field));
    rounding_[i] = std::max(rounding_[i], sums.rounding_bytes(field));
  }
  size_.add(sums.size_bytes);
  uncompared_rss_.add(sums.uncompared_rss);
  device_copy_size_.add(sums.device_copy_size);
  device_copy_rss_.add(sums.device_copy_rss);
  numa_unseen_rss_.add(sums.numa_unseen_rss);
  file_swap_.add(sums.file_swap);
  locked_by_flags_.add(sums.locked_by_flags);
  hugetlb_vmas_.add(sums.hugetlb_vmas);
  pss_of_anonymous_.add(sums.pss_of_anonymous);
  pss_with_anonymous_.add(sums.pss_with_anonymous);
}

void FieldWatch::on_rollup(const SmapsRecord& rollup) {
  for (std::size_t i = 0; i < kSmapsFieldCount; ++i) {
    add_if(rollup_[i], rollup.values.bytes(static_cast<Field>(i)));
  }
  const std::uint32_t broken = broken_identities(rollup, pages_);
  rollup_always_broken_ &= broken;
  rollup_ever_broken_ |= broken;
  last_rollup_ = keep(rollup, Interface::smaps_rollup);
  ++rollup_reads_;
}

void FieldWatch::on_numa(const NumaSums& sums) {
  numa_anon_.add(sums.anon);
  numa_dirty_.add(sums.dirty);
}

void FieldWatch::on_status(const StatusNumbers& status, const ProcStatm& statm) {
  add_if(vm_size_, status.vm_size);
  add_if(vm_rss_, status.vm_rss);
  add_if(rss_anon_, status.rss_anon);
  add_if(rss_file_, status.rss_file);
  add_if(rss_shmem_, status.rss_shmem);
  add_if(vm_swap_, status.vm_swap);
  statm_size_.add(pages_.bytes(statm.size_pages));
  statm_resident_.add(pages_.bytes(statm.resident_pages));
  statm_shared_.add(pages_.bytes(statm.shared_pages));

  last_status_ = relations_of(status);
  for (Relation& own : relations_of(statm, pages_)) last_status_.push_back(std::move(own));
  status_breaks_.resize(last_status_.size());
  for (std::size_t i = 0; i < last_status_.size(); ++i) {
    if (!last_status_[i].holds()) ++status_breaks_[i];
  }
  ++status_reads_;
}

/// A kernel that counts any of them in smaps counts all of them.
std::uint64_t FieldWatch::room_for_copies() const {
  return device_copy_rss_.largest == 0 ? device_copy_size_.largest : 0;
}

std::optional<Interval> FieldWatch::unseen_copies(const Extremes& anonymous,
                                                  const FieldLimits& limits) const {
  const Extremes& rss = smaps_[at(Field::rss)];
  if (!limits.asleep || !all_seen({&rss_anon_, &anonymous, &rss})) return std::nullopt;
  // Pages of which the walk can't tell, and smaps doesn't: they may be the ones that are missing.
  const std::uint64_t shown = less_by(rss.largest, uncompared_rss_.smallest);
  const std::uint64_t elsewhere = less_by(limits.walk.high, shown);
  const std::uint64_t least = less_by(less_by(rss_anon_.smallest, anonymous.largest),
                                      saturating_sum(limits.slack.anon_excess, elsewhere));
  const std::uint64_t room = std::min(room_for_copies(), device_copy_size_.smallest);
  if (least == 0 || least > room) return std::nullopt;
  const std::uint64_t most =
      less_by(saturating_sum(rss_anon_.largest, limits.slack.bytes), anonymous.smallest);
  return Interval{least, std::min(room, most)};
}

std::optional<std::uint64_t> FieldWatch::beyond_counters(const Extremes& rss,
                                                         const FieldLimits& limits) const {
  if (!limits.asleep || limits.slack.bytes != 0 || !all_seen({&rss, &vm_rss_})) return std::nullopt;
  const std::uint64_t excess = less_by(rss.smallest, vm_rss_.largest);
  return excess == 0 ? std::nullopt : std::optional{excess};
}

std::vector<Relation> FieldWatch::relations(const FieldLimits& limits) const {
  std::vector<Relation> relations;
  add_own_records(relations);
  if (!size_.seen()) return relations;
  add_rollup(relations);
  add_shares(relations, limits);
  add_flags(relations);
  if (!limits.asleep) return relations;
  add_walk(relations, limits);
  add_numa(relations, limits);
  add_counters(relations, limits);
  add_swap(relations, limits);
  add_statm(relations);
  return relations;
}

/// Broken in every read, or in none: what broke now and then says nothing and vouches for nobody.
void FieldWatch::add_own_records(std::vector<Relation>& relations) const {
  if (last_rollup_) {
    const auto own = relations_of(*last_rollup_, rollup_always_broken_, rollup_ever_broken_,
                                  rollup_reads_, pages_);
    relations.insert(relations.end(), own.begin(), own.end());
  }
  for (std::size_t i = 0; i < last_status_.size(); ++i) {
    if (status_breaks_[i] != 0 && status_breaks_[i] != status_reads_) continue;
    relations.push_back(last_status_[i]);
    relations.back().reads = status_reads_;
  }
}

/// I3: the rollup is the sum, but for rounding.
void FieldWatch::add_rollup(std::vector<Relation>& relations) const {
  for (const Field field : kSharedFields) {
    const Extremes& said = rollup_[at(field)];
    const Extremes& sum = smaps_[at(field)];
    if (!all_seen({&said, &sum})) continue;
    relations.push_back(relation("I3", "smaps_rollup is the sum of smaps",
                                 {of_rollup(field, said), of_smaps(field, sum, -1)},
                                 {.less = 0, .more = rounding_[at(field)]}, said.reads));
  }
  // Which pages are anonymous decides in smaps as well, mapping by mapping.
  const Extremes& anon = rollup_[at(Field::pss_anon)];
  const Extremes& pss = smaps_[at(Field::pss)];
  if (!all_seen({&anon, &pss})) return;
  Relation classes = relation("I3", "Pss_Anon is the Pss of the mappings with anonymous pages",
                              {of_rollup(Field::pss_anon, anon), of_smaps(Field::pss, pss, -1),
                               of_smaps(Field::anonymous, smaps_[at(Field::anonymous)], 0)},
                              {}, anon.reads);
  classes.low = amount(pss_of_anonymous_.smallest) - amount(pss.largest);
  classes.high =
      amount(pss_with_anonymous_.largest + rounding_[at(Field::pss)]) - amount(pss.smallest);
  relations.push_back(std::move(classes));
}

/// Who is shared is shared by two at least. An entry without a page (migration, poison) may count
/// as shared and whole, from 6.11 on: what Rss has beyond the pages that are sure.
void FieldWatch::add_shares(std::vector<Relation>& relations, const FieldLimits& limits) const {
  if (!mapcount_per_page_) return;
  const auto ask = [&](const auto& fields, auto of) {
    const Extremes& rss = fields[at(Field::rss)];
    std::vector<Term> terms;
    for (const auto& [field, factor] :
         {std::pair{Field::pss, 2}, std::pair{Field::private_clean, -2},
          std::pair{Field::private_dirty, -2}, std::pair{Field::shared_clean, -1},
          std::pair{Field::shared_dirty, -1}}) {
      if (fields[at(field)].seen()) terms.push_back(of(field, fields[at(field)], factor));
    }
    if (terms.size() != 5 || !rss.seen()) return;
    const std::uint64_t entries =
        less_by(rss.largest, saturating_sum(limits.walk.low, uncompared_rss_.smallest));
    relations.push_back(relation("I2.pss_shared", "Pss <= Private + Shared / 2", std::move(terms),
                                 {.less = 0, .more = entries}, rss.reads));
    relations.back().low = kNoLowerBound;
    relations.back().same_record = true;
  };
  ask(smaps_, of_smaps);
  ask(rollup_, of_rollup);
}

/// VmFlags tell what Locked and *_Hugetlb must be. Broken, they are found mapping by mapping; here
/// they vouch for the sums.
void FieldWatch::add_flags(std::vector<Relation>& relations) const {
  const auto vouch = [&](Field field, Interval expected) {
    const Extremes& said = smaps_[at(field)];
    if (!said.seen()) return;
    Relation flags = relation("I2.locked", "VmFlags", {of_smaps(field, said)}, {}, said.reads);
    flags.low = amount(expected.low);
    flags.high = amount(expected.high);
    if (flags.holds()) relations.push_back(std::move(flags));
  };
  vouch(Field::locked, {locked_by_flags_.smallest, locked_by_flags_.largest});
  if (hugetlb_vmas_.largest != 0) return;
  vouch(Field::shared_hugetlb, {});
  vouch(Field::private_hugetlb, {});
}

/// The walk decides about Rss and VmRSS elsewhere (I3, I4, I7). Here it vouches for them.
void FieldWatch::add_walk(std::vector<Relation>& relations, const FieldLimits& limits) const {
  const auto vouch = [&](const Term& rss, Interval expected) {
    Relation walk = relation("I7", "the page walk", {rss}, {}, 0);
    walk.low = amount(expected.low);
    walk.high = amount(expected.high);
    if (walk.holds()) relations.push_back(std::move(walk));
  };
  const Interval shown{limits.walk.low + uncompared_rss_.smallest,
                       limits.walk.high + uncompared_rss_.largest};
  const Extremes& smaps = smaps_[at(Field::rss)];
  const Extremes& rollup = rollup_[at(Field::rss)];
  if (smaps.seen()) vouch(of_smaps(Field::rss, smaps), shown);
  if (rollup.seen()) vouch(of_rollup(Field::rss, rollup), shown);
  if (vm_rss_.seen()) {
    vouch(
        term_of(Interface::status, "VmRSS", vm_rss_),
        counted_rss({limits.walk.low, limits.walk.high + device_copy_size_.largest}, limits.slack));
  }
}

/// I6. Entries without a page (migration, device, poison) are in smaps and not in numa_maps.
void FieldWatch::add_numa(std::vector<Relation>& relations, const FieldLimits& limits) const {
  if (!numa_anon_.seen()) return;
  for (const auto& [interface, fields] :
       {std::pair{Interface::smaps, &smaps_}, std::pair{Interface::smaps_rollup, &rollup_}}) {
    const Extremes& anonymous = (*fields)[at(Field::anonymous)];
    if (!anonymous.seen()) continue;
    relations.push_back(anon_relation(numa_anon_, interface, anonymous, limits.walk.width()));
  }
  const Extremes& shared = smaps_[at(Field::shared_dirty)];
  const Extremes& own = smaps_[at(Field::private_dirty)];
  if (!all_seen({&shared, &own})) return;
  relations.push_back(
      dirty_relation(numa_dirty_, shared, own, limits.walk.width() + numa_unseen_rss_.largest));
}

/// I4, counter by counter. In smaps and not in the counters: poisoned pages; the other way round:
/// private copies in device mappings up to 6.1.
void FieldWatch::add_counters(std::vector<Relation>& relations, const FieldLimits& limits) const {
  if (!all_seen({&rss_anon_, &rss_file_, &rss_shmem_})) return;
  const std::uint64_t less = limits.slack.bytes + limits.walk.width();
  const Tolerance of_anon{.less = less,
                          .more = saturating_sum(limits.slack.anon_excess, room_for_copies())};
  const Tolerance of_file{.less = less, .more = limits.slack.bytes};
  const auto compare_with = [&](const auto& fields, auto of) {
    const Extremes& rss = fields[at(Field::rss)];
    const Extremes& anonymous = fields[at(Field::anonymous)];
    if (!all_seen({&rss, &anonymous})) return;
    const std::uint64_t reads = least_reads({&rss_anon_, &rss, &anonymous});
    relations.push_back(relation(
        "I4.anon", "RssAnon is Anonymous",
        {term_of(Interface::status, "RssAnon", rss_anon_), of(Field::anonymous, anonymous, -1)},
        of_anon, reads));
    relations.push_back(relation("I4.file", "RssFile + RssShmem is Rss - Anonymous",
                                 {term_of(Interface::status, "RssFile", rss_file_),
                                  term_of(Interface::status, "RssShmem", rss_shmem_),
                                  of(Field::rss, rss, -1), of(Field::anonymous, anonymous, 1)},
                                 of_file, reads));
  };
  compare_with(smaps_, of_smaps);
  compare_with(rollup_, of_rollup);
}

/// I5. The Swap of shmem is in smaps and in no counter; which mapping of a file is shmem, smaps
/// does not tell.
void FieldWatch::add_swap(std::vector<Relation>& relations, const FieldLimits& limits) const {
  if (!vm_swap_.seen()) return;
  const Tolerance tolerance{.less = limits.slack.bytes + file_swap_.largest,
                            .more = limits.slack.bytes + room_for_copies()};
  const auto compare_with = [&](const Extremes& swap, const Term& of) {
    if (!swap.seen()) return;
    relations.push_back(relation("I5.swap", "VmSwap is Swap without shmem",
                                 {term_of(Interface::status, "VmSwap", vm_swap_), of}, tolerance,
                                 least_reads({&vm_swap_, &swap})));
  };
  const Extremes& smaps = smaps_[at(Field::swap)];
  const Extremes& rollup = rollup_[at(Field::swap)];
  compare_with(smaps, of_smaps(Field::swap, smaps, -1));
  compare_with(rollup, of_rollup(Field::swap, rollup, -1));
  const Extremes& swap_pss = rollup_[at(Field::swap_pss)];
  if (!swap_pss.seen()) return;
  Relation shared = relation(
      "I5.swap_pss", "SwapPss <= VmSwap",
      {of_rollup(Field::swap_pss, swap_pss), term_of(Interface::status, "VmSwap", vm_swap_, -1)},
      {.less = 0, .more = limits.slack.bytes}, least_reads({&vm_swap_, &swap_pss}));
  shared.low = kNoLowerBound;
  relations.push_back(std::move(shared));
}

/// I1 between the two files, and I8: the same counters, read by other code.
void FieldWatch::add_statm(std::vector<Relation>& relations) const {
  const auto equal = [&](std::string_view check, std::string_view text, std::vector<Term> terms,
                         std::uint64_t reads) {
    relations.push_back(relation(check, text, std::move(terms), {}, reads));
  };
  if (vm_rss_.seen()) {
    equal("I1.statm_resident", "resident is VmRSS",
          {term_of(Interface::statm, "resident", statm_resident_),
           term_of(Interface::status, "VmRSS", vm_rss_, -1)},
          vm_rss_.reads);
  }
  if (all_seen({&rss_file_, &rss_shmem_})) {
    equal("I1.statm_shared", "shared is RssFile + RssShmem",
          {term_of(Interface::statm, "shared", statm_shared_),
           term_of(Interface::status, "RssFile", rss_file_, -1),
           term_of(Interface::status, "RssShmem", rss_shmem_, -1)},
          rss_file_.reads);
  }
  if (!vm_size_.seen()) return;
  equal("I1.statm_size", "size is VmSize",
        {term_of(Interface::statm, "size", statm_size_),
         term_of(Interface::status, "VmSize", vm_size_, -1)},
        vm_size_.reads);
  equal("I8", "VmSize is the sum of Size",
        {term_of(Interface::status, "VmSize", vm_size_), of_smaps(Field::size, size_, -1)},
        vm_size_.reads);
}

}  // namespace smaps_audit
