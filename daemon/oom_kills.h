// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "collect/kernel_view.h"

namespace smaps_audit::service {

/// How many processes of our cgroup, and of those below it, the kernel has killed for want of
/// memory: oom_kill of its memory.events (version 2). nullopt: it does not tell, as of the root.
std::optional<std::uint64_t> read_oom_kills(KernelView& view);

}  // namespace smaps_audit::service
