// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "audit/host_notes.h"
#include "cli/options.h"
#include "collect/host.h"
#include "collect/kernel_view.h"

namespace smaps_audit {

/// What checks I13 (--all) and I14 (each --cgroup) have to say of this selection: mostly nothing,
/// after one look at every process; a difference beyond all bounds is looked at 24 times, with
/// random pauses, before it becomes a note. Silent where a look was never whole (hidden or
/// unreadable processes, other pid namespaces, too much coming and going), or when told to stop.
std::vector<HostNote> ask_host(KernelView& view, const HostInfo& host, const Selection& selection,
                               const std::optional<std::string>& sys_root,
                               const std::function<int()>& stop_signal);

/// Where the cgroup's memory.stat may be below the sys root: of version 2, then of version 1.
/// `path` as --cgroup takes it, with or without the mount point.
std::vector<std::string> memory_stat_paths(std::string_view path, std::string_view sys_root);

}  // namespace smaps_audit
