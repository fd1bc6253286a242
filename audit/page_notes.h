// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "audit/verdict.h"
#include "base/interval.h"
#include "base/page_geometry.h"
#include "base/range_set.h"
#include "collect/kernel_capabilities.h"
#include "collect/page_pass.h"

namespace smaps_audit {

/// K09, I10: pages of one VMA that pagemap called exclusive in both walks and that kpagecount said
/// are mapped at least twice, in both. Bytes of them in `error_bytes`; nullopt if there are none.
std::optional<Finding> exclusive_note(std::span<const MappingRun> both_walks, Range vma_bytes,
                                      const std::string& name, const PageGeometry& pages);

/// K11, I7: pages of private anonymous memory that both walks around a record showed as zero pages
/// of a file; nullopt if there are none.
std::optional<Finding> huge_zero_note(std::uint64_t flagged_bytes, bool by_scan, Range vma_bytes,
                                      const std::string& name);

/// K05, K06, I4: VmRSS of a sleeping process that is outside of what the walk found, on a kernel
/// whose threads (K05: too low only) or CPUs (K06) keep a part of the counters to themselves.
/// nullopt where that is less than what matters, or more than they can keep.
std::optional<Finding> cached_counter_note(std::uint64_t vm_rss, Interval resident,
                                           const KernelCapabilities& capabilities,
                                           std::uint64_t counter_slack);

}  // namespace smaps_audit
