// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "collect/kernel_view.h"
#include "daemon/protocol.h"

namespace smaps_audit::service {

/// Apart by more than this in a screening is worth an audit. The counters' own error may be larger
/// (docs/kernel.md §2): then an audit is made in vain, and not again soon.
inline constexpr std::uint64_t kSuspiciousGapBytes = std::uint64_t{1} << 20;

/// All that have a number in /proc, in its order.
Result<std::vector<int>> list_pids(KernelView& view);

/// nullopt: it is gone.
std::optional<ProcessListing> list_process(KernelView& view, int pid);

/// status, smaps_rollup, status. Holds the target's mmap_lock as long as its page tables are large.
Screening screen_process(KernelView& view, int pid);

}  // namespace smaps_audit::service
