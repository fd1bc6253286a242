// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cli/audit_target.h"

namespace smaps_audit {

/// How long a read may last beyond the deadline before its audit is given up.
inline constexpr Nanoseconds kStuckGrace = std::chrono::seconds(5);

/// audit_target() in a thread of its own. A target can hold mmap_lock for ever (a page fault that
/// waits for a network or FUSE file system, and a writer behind it); a read that waits for the lock
/// ends only with this process. Such an audit is left to itself after the deadline and `grace`, and
/// the answer is inconclusive{stuck}; `view` is the stuck thread's as well from then on and has to
/// live until the end.
ProcessReport audit_bounded(KernelView& view, const KernelCapabilities& capabilities,
                            const PageGeometry& pages, int pid, const AuditOptions& options,
                            Nanoseconds grace = kStuckGrace);

/// True once an audit was left to itself: the process should end by _exit() then.
bool any_audit_stuck();

}  // namespace smaps_audit
