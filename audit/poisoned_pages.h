// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "audit/field_watch.h"
#include "audit/verdict.h"

namespace smaps_audit {

/// K08 where no page frame number tells it, I4: smaps and its rollup count more of a sleeping
/// process than its counters, which are exact, and the difference is no more than the walk's
/// entries without a page and than the memory that this machine has lost. `mappings`: where it is,
/// if that is known. None: not proved.
std::vector<Finding> poisoned_page_findings(const FieldWatch& fields, const FieldLimits& limits,
                                            std::optional<std::uint64_t> hardware_corrupted,
                                            const std::vector<FindingVma>& mappings);

}  // namespace smaps_audit
