// SPDX-License-Identifier: Apache-2.0
#include "audit/vma_watch.h"

#include <algorithm>
#include <utility>

#include "audit/numa_relations.h"
#include "audit/pss_truth.h"
#include "collect/sampler.h"

namespace smaps_audit {
Contradiction compare(const Extremes& said, Interval expected) {
  if (!said.seen()) return Contradiction::none;
  if (said.largest < expected.low) return Contradiction::deficit;
  if (said.smallest > expected.high) return Contradiction::excess;
  return Contradiction::none;
}

void PageEvidence::add(PageSets sets) {
  if (passes_++ == 0) {
    in_all_ = std::move(sets.sure);
    in_any_ = std::move(sets.possible);
    return;
  }
  in_all_ = intersection(in_all_, sets.sure);
  in_any_ = union_of(in_any_, sets.possible);
}

bool Contradictions::any_without_numa() const {
  return smaps_walk != Contradiction::none || walk_plain != Contradiction::none ||
         smaps_plain != Contradiction::none || identity;
}

bool Contradictions::any() const {
  return any_without_numa() || numa_walk != Contradiction::none ||
         smaps_numa != Contradiction::none || numa_plain != Contradiction::none;
}

void VmaWatch::on_pass(const PagePass& pass, const PagePass* plain, const PageGeometry& pages) {
  if (!present_) return;
  walk_.add(classify(pass, range_, traits_, pages));
  poisoned_.add(poisoned_bytes(pass, range_, pages));
  if (plain != nullptr) plain_.add(classify(*plain, range_, traits_, pages));
}

void VmaWatch::on_mappings(const PagePass& counted, const PageGeometry& pages) {
  if (!present_) return;
  const auto own =
      mappings_in(counted.mappings, {pages.pages(range_.first), pages.pages(range_.last)});
  mappings_ = mappings_ ? join_mappings(*mappings_, own) : std::vector(own.begin(), own.end());
}

std::optional<Interval> VmaWatch::pss(const PageGeometry& pages) const {
  if (!mappings_ || !walk_.seen()) return std::nullopt;
  return pss_bytes({walk_.in_all(), walk_.in_any()}, *mappings_, false, pages);
}

void VmaWatch::on_record(const SmapsRecord& record, const PageGeometry& pages) {
  if (record.header.start != range_.first || record.header.end != range_.last) return;
  if (!record.values.has(SmapsField::rss)) return;
  seen_ = true;
  for (std::size_t i = 0; i < kSmapsFieldCount; ++i) {
    if (const auto value = record.values.bytes(static_cast<SmapsField>(i))) fields_[i].add(*value);
  }
  const std::uint32_t broken = broken_identities(record, pages);
  always_broken_ &= broken;
  ever_broken_ |= broken;
  broken_record_.reset();
  if (always_broken_ != 0) {
    broken_record_ = std::make_unique<KeptRecord>(keep(record, Interface::smaps));
  }
  if (name_.empty()) name_ = std::string{record.header.name};
}

/// Lines of numa_maps that are no witness: hugetlb counts in other units, reserved pages ([vdso])
/// are left out, and of a device's memory (DAX) only the anonymous pages are told.
void VmaWatch::on_numa(const NumaMapsRecord& record, const PageGeometry& pages) {
  if (record.start != range_.first) return;
  const bool only_anonymous = record.total_pages == record.anon_pages.value_or(0);
  if (record.huge || traits_.special || traits_.mixedmap || (traits_.has_file && only_anonymous)) {
    numa_comparable_ = false;
  }
  if (!numa_comparable_) return;
  numa_.add(pages.bytes(record.total_pages));
  numa_anon_.add(pages.bytes(record.anon_pages.value_or(0)));
  numa_dirty_.add(pages.bytes(record.dirty_pages.value_or(0)));
}

bool VmaWatch::end_step() {
  const bool was_there = std::exchange(seen_, false);
  if (was_there) ++steps_;
  present_ = was_there;
  return was_there;
}

void VmaWatch::restart(Range bytes, const VmaTraits& traits) {
  *this = [&] {
    VmaWatch again{bytes, traits, resolve_coverage_};
    again.restarts_ = restarts_ + 1;
    return again;
  }();
}

Contradictions VmaWatch::contradictions(const PageGeometry& pages) const {
  Contradictions found;
  if (steps_ == 0) return found;
  found.identity = broken_record_ != nullptr;
  const Interval walk = walk_.bytes(pages);
  found.smaps_walk = compare(smaps_rss(), walk);
  if (plain_.seen()) {
    found.smaps_plain = compare(smaps_rss(), plain_.bytes(pages));
    if (difference(walk_.in_all(), plain_.in_any()).count() != 0) {
      found.walk_plain = Contradiction::excess;
    } else if (difference(plain_.in_all(), walk_.in_any()).count() != 0) {
      found.walk_plain = Contradiction::deficit;
    }
  }
  // Later steps may do without numa_maps; until then a missing line means that the VMA was
  // elsewhere.
  if (!numa_comparable_ || numa_.reads < std::min(steps_, kNumaMapsSteps)) return found;
  found.numa_walk = compare(numa_, walk);
  if (plain_.seen()) found.numa_plain = compare(numa_, plain_.bytes(pages));
  // Entries without a page (migration, device, poison) are in Rss and not in numa_maps.
  const std::uint64_t entries = walk.high - walk.low;
  if (smaps_rss().largest < numa_.smallest) found.smaps_numa = Contradiction::deficit;
  if (smaps_rss().smallest > numa_.largest + entries) found.smaps_numa = Contradiction::excess;
  return found;
}

/// Entries without a page (migration, device, poison) are in smaps and not in numa_maps.
std::vector<Relation> VmaWatch::field_relations(bool asleep, const PageGeometry& pages) const {
  std::vector<Relation> relations;
  if (broken_record_) {
    relations = relations_of(*broken_record_, always_broken_, ever_broken_, steps_, pages);
  }
  const Extremes& anonymous = field(SmapsField::anonymous);
  const Extremes& shared_dirty = field(SmapsField::shared_dirty);
  const Extremes& private_dirty = field(SmapsField::private_dirty);
  const std::uint64_t entries = walk_.bytes(pages).width();
  if (asleep && numa_comparable_ && numa_.reads >= kSeriesSteps) {
    if (anonymous.seen()) {
      relations.push_back(anon_relation(numa_anon_, Interface::smaps, anonymous, entries));
    }
    if (shared_dirty.seen() && private_dirty.seen()) {
      relations.push_back(dirty_relation(numa_dirty_, shared_dirty, private_dirty, entries));
    }
  }
  const bool all_hold = std::all_of(relations.begin(), relations.end(),
                                    [](const Relation& relation) { return relation.holds(); });
  if (all_hold) return {};
  for (Relation& relation : relations) {
    relation.vma = FindingVma{range_.first, range_.last, name_, 0};
  }
  return relations;
}

}  // namespace smaps_audit
