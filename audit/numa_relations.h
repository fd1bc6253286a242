// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "audit/relation.h"
#include "audit/vma_watch.h"
#include "parsers/smaps.h"

namespace smaps_audit {

/// What a witness said in all of its reads, as a term of a relation.
Term term_of(Interface interface, std::string_view field, const Extremes& said,
             std::int64_t factor = 1);
Term term_of(Interface interface, SmapsField field, const Extremes& said, std::int64_t factor = 1);

/// I6, of one mapping or of all together: anon= of numa_maps is Anonymous of smaps or of its
/// rollup. `entries`: bytes without a page (migration, device, poison), which are in smaps alone.
Relation anon_relation(const Extremes& anon, Interface other, const Extremes& anonymous,
                       std::uint64_t entries);
/// dirty= is Shared_Dirty + Private_Dirty of smaps.
Relation dirty_relation(const Extremes& dirty, const Extremes& shared_dirty,
                        const Extremes& private_dirty, std::uint64_t entries);

}  // namespace smaps_audit
