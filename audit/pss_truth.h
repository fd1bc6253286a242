// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "audit/page_class.h"
#include "base/interval.h"
#include "base/page_geometry.h"
#include "base/range_set.h"
#include "collect/page_pass.h"

namespace smaps_audit {

/// What two looks at the same pages agree on: the fewest and the most mappings that either saw.
/// Pages that are in only one of them are left out: of those nothing is known.
std::vector<MappingRun> join_mappings(std::span<const MappingRun> a, std::span<const MappingRun> b);

/// The runs that touch `pages_wanted` (page numbers), whole.
std::span<const MappingRun> mappings_in(std::span<const MappingRun> runs, Range pages_wanted);

/// What the pages of one VMA add to Pss, by the kernel's own formula (docs/kernel.md §1.3), in
/// bytes: at least what those add that are sure, each by the most mappings that anybody saw, at
/// most what those add that are possible, each by the fewest. A page of which nothing is known
/// adds between nothing and all of itself.
///
/// `no_pmd`: no PMD maps any of it, as the record itself says, so that EXCLUSIVE speaks for each
/// page even where K09 makes it speak for the first page of a PMD.
Interval pss_bytes(const PageSets& sets, std::span<const MappingRun> mappings, bool no_pmd,
                   const PageGeometry& pages);

/// Does this record own to no PMD, while its Rss is all that the walk found? A kernel with K01
/// leaves out what a PMD maps, so that such a record can't have hidden any.
bool maps_no_pmd(const SmapsRecord& record, Interval resident);

}  // namespace smaps_audit
