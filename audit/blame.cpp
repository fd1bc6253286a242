// SPDX-License-Identifier: Apache-2.0
#include "audit/blame.h"

#include <algorithm>
#include <array>

#include "config/known_defects.h"

namespace smaps_audit {
namespace {

/// Two witnesses that contradict each other; `direction` is the first one's.
struct Dispute {
  Interface first;
  Interface second;
  Contradiction direction;
};

std::vector<Dispute> disputes_of(const VmaWatch& vma, bool asleep, bool numa_settled,
                                 const PageGeometry& pages) {
  const Contradictions found = vma.contradictions(pages);
  const Interface walk = vma.walk_witness();
  const bool walk_disputed = found.smaps_walk != Contradiction::none ||
                             found.walk_plain != Contradiction::none ||
                             found.smaps_plain != Contradiction::none;
  const bool numa_speaks = numa_settled || walk_disputed;
  std::vector<Dispute> disputes;
  const auto add = [&](Interface first, Interface second, Contradiction direction) {
    if (direction != Contradiction::none) disputes.push_back({first, second, direction});
  };
  add(Interface::smaps, walk, found.smaps_walk);
  add(Interface::smaps, Interface::pagemap, found.smaps_plain);
  add(Interface::pagemap_scan, Interface::pagemap, found.walk_plain);
  if (numa_speaks) {
    add(Interface::numa_maps, walk, found.numa_walk);
    add(Interface::numa_maps, Interface::pagemap, found.numa_plain);
    if (walk_disputed || asleep || found.numa_walk != Contradiction::none) {
      add(Interface::smaps, Interface::numa_maps, found.smaps_numa);
    }
  }
  return disputes;
}

bool takes_part(const Dispute& dispute, Interface witness) {
  return dispute.first == witness || dispute.second == witness;
}

/// The witnesses that take part in every dispute, the likelier liar first.
std::vector<Interface> culprits(const std::vector<Dispute>& disputes) {
  std::vector<Interface> found;
  for (const Interface witness :
       {Interface::smaps, Interface::numa_maps, Interface::pagemap, Interface::pagemap_scan}) {
    const bool in_all = std::all_of(disputes.begin(), disputes.end(), [&](const Dispute& dispute) {
      return takes_part(dispute, witness);
    });
    if (in_all) found.push_back(witness);
  }
  return found;
}

Direction direction_of(const std::vector<Dispute>& disputes, Interface culprit) {
  const Dispute& dispute = *std::find_if(disputes.begin(), disputes.end(),
                                         [&](const Dispute& d) { return takes_part(d, culprit); });
  const bool deficit = dispute.direction == Contradiction::deficit;
  return deficit == (dispute.first == culprit) ? Direction::deficit : Direction::excess;
}

/// What the culprit said at its nearest to the truth, and what the others support.
void measure(Blame& blame, Interval said, Interval expected) {
  blame.expected = expected;
  if (blame.direction == Direction::deficit) {
    blame.reported = said.high;
    blame.error = expected.low > said.high ? expected.low - said.high : 0;
  } else {
    blame.reported = said.low;
    blame.error = said.low > expected.high ? said.low - expected.high : 0;
  }
  blame.exact = expected.width() == 0 && said.width() == 0;
}

Interval said_by(const Extremes& extremes) { return {extremes.smallest, extremes.largest}; }

/// Between what and what a witness of this VMA put it.
Interval testimony(const VmaWatch& vma, Interface witness, const PageGeometry& pages) {
  switch (witness) {
    case Interface::smaps: return said_by(vma.smaps_rss());
    case Interface::numa_maps: return said_by(vma.numa());
    case Interface::pagemap: return (vma.plain().seen() ? vma.plain() : vma.walk()).bytes(pages);
    case Interface::pagemap_scan: return vma.walk().bytes(pages);
    case Interface::smaps_rollup:
    case Interface::status:
    case Interface::statm: break;  // tell nothing of a single VMA
  }
  return {};
}

/// K08: what smaps counts too much are pages that every walk shows as lost to memory errors.
void match_poison(Blame& blame, const VmaWatch& vma) {
  if (blame.direction != Direction::excess || blame.error == 0) return;
  if (blame.error == vma.poisoned()) blame.defect = defect_if_known("K08");
}

/// K01: whole PMDs are missing, the VMA has that many, and the witnesses that the table names agree
/// on them (docs/method.md §8).
void match_defect(Blame& blame, const VmaWatch& vma, const PageGeometry& pages) {
  const Contradictions found = vma.contradictions(pages);
  // What a defect leaves out, it leaves out of all fields of the record.
  if (found.identity) return;
  for (const KnownDefect& defect : known_defects()) {
    const DefectSignature& signature = defect.signature;
    const auto names = [&](const std::vector<std::string>& list, Interface interface) {
      return std::find(list.begin(), list.end(), name_of(interface)) != list.end();
    };
    if (!names(signature.interfaces, blame.interface) || signature.needs_awake ||
        signature.direction != name_of(blame.direction) || signature.granule_bytes == 0 ||
        defect.seen_by != SeenBy::audit || !signature.mapping_flag.empty() ||
        !signature.bound.empty()) {
      continue;
    }
    if (names(signature.sided_by, Interface::numa_maps) &&
        found.smaps_numa != Contradiction::deficit) {
      continue;
    }
    const std::uint64_t granule = signature.granule_bytes;
    const std::uint64_t fewest = (blame.error + granule - 1) / granule;
    const std::uint64_t largest_error = blame.expected.high - vma.smaps_rss().smallest;
    const bool whole_granules = fewest != 0 && fewest * granule <= largest_error;
    if (!whole_granules || full_pmd_blocks(vma.walk().in_any(), vma.range(), pages) < fewest)
      continue;
    blame.defect = defect.id;
    blame.cause = vma.traits().accessible ? Cause::numa_hint : Cause::mprotect;
    return;
  }
}

}  // namespace

std::optional<Blame> blame(const VmaWatch& vma, bool asleep, bool numa_settled,
                           const PageGeometry& pages) {
  const std::vector<Dispute> disputes = disputes_of(vma, asleep, numa_settled, pages);
  if (disputes.empty()) return std::nullopt;
  std::vector<Interface> suspects = culprits(disputes);
  // Disputes that no single witness explains: the first pair is named, nobody alone accused.
  if (suspects.empty()) suspects = {disputes.front().first, disputes.front().second};

  Blame result;
  result.interface = suspects.front();
  if (suspects.size() > 1) result.against = suspects[1];
  result.direction = direction_of(disputes, result.interface);
  // A pair is measured against each other, a culprit against a witness of the others' number.
  Interface other = vma.walk_witness();
  switch (result.interface) {
    case Interface::smaps: {
      const bool numa_alone = result.against == Interface::numa_maps;
      result.check = numa_alone ? "I6" : "I7";
      result.field = "Rss";
      break;
    }
    case Interface::numa_maps:
      result.check = "I6";
      result.field = "N*";
      break;
    case Interface::pagemap:
    case Interface::pagemap_scan:
      result.check = vma.plain().seen() ? "I12" : "I7";
      result.field = "PRESENT";
      other = Interface::smaps;
      break;
    case Interface::smaps_rollup:
    case Interface::status:
    case Interface::statm: return std::nullopt;
  }
  measure(result, testimony(vma, result.interface, pages),
          testimony(vma, result.against.value_or(other), pages));
  const bool rss_by_walk = result.interface == Interface::smaps && result.check == "I7";
  if (rss_by_walk) match_defect(result, vma, pages);
  if (rss_by_walk && !result.defect) match_poison(result, vma);
  return result;
}

}  // namespace smaps_audit
