// SPDX-License-Identifier: Apache-2.0
#include "audit/numa_relations.h"

#include <algorithm>
#include <utility>

namespace smaps_audit {
namespace {

Relation of_numa(std::string_view check, std::string_view text, std::vector<Term> terms,
                 std::uint64_t entries, std::uint64_t reads) {
  return {.check = check,
          .text = text,
          .terms = std::move(terms),
          .low = -amount(entries),
          .high = 0,
          .reads = reads};
}

}  // namespace

Term term_of(Interface interface, std::string_view field, const Extremes& said,
             std::int64_t factor) {
  return {.claim = {interface, field}, .factor = factor, .said = {said.smallest, said.largest}};
}

Term term_of(Interface interface, SmapsField field, const Extremes& said, std::int64_t factor) {
  return term_of(interface, smaps_field_name(field), said, factor);
}

Relation anon_relation(const Extremes& anon, Interface other, const Extremes& anonymous,
                       std::uint64_t entries) {
  return of_numa("I6.anon", "anon= is Anonymous",
                 {term_of(Interface::numa_maps, "anon", anon),
                  term_of(other, SmapsField::anonymous, anonymous, -1)},
                 entries, std::min(anon.reads, anonymous.reads));
}

Relation dirty_relation(const Extremes& dirty, const Extremes& shared_dirty,
                        const Extremes& private_dirty, std::uint64_t entries) {
  return of_numa("I6.dirty", "dirty= is Shared_Dirty + Private_Dirty",
                 {term_of(Interface::numa_maps, "dirty", dirty),
                  term_of(Interface::smaps, SmapsField::shared_dirty, shared_dirty, -1),
                  term_of(Interface::smaps, SmapsField::private_dirty, private_dirty, -1)},
                 entries, std::min({dirty.reads, shared_dirty.reads, private_dirty.reads}));
}

}  // namespace smaps_audit
