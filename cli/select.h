// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/options.h"
#include "collect/kernel_view.h"

namespace smaps_audit {

/// The processes of a selection, in ascending order, each once.
/// Named PIDs are in it whether they are there or not; a process that vanishes, or hides its files,
/// while its name or group is looked up is not selected by them.
Result<std::vector<int>> select_processes(KernelView& view, const Selection& selection,
                                          const std::optional<std::string>& sys_root);

/// Does a /proc/PID/cgroup text (v1: `7:memory:/a`, v2: `0::/a`) put the process into `path` or
/// below it? `path` as in the file, or with the mount point before it ("/sys/fs/cgroup/a", with v1
/// the controller's name too).
bool in_cgroup(std::string_view cgroup_text, std::string_view path, std::string_view sys_root);

/// Our own pid in the proc mount that the view reads; nullopt if it doesn't say.
std::optional<int> own_pid_in(KernelView& view);

}  // namespace smaps_audit
