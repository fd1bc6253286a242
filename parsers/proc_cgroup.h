// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <vector>

#include "base/result.h"

namespace smaps_audit {

/// A line of /proc/PID/cgroup (kernel/cgroup/cgroup.c: proc_cgroup_show), one a hierarchy:
///
///   4:memory:/docker/1f2e…        version 1: number, controllers (or "name=systemd"), path
///   0::/system.slice/cron.service version 2: no controllers
struct CgroupLine {
  std::string_view controllers = {};
  std::string_view path = {};  ///< without the " (deleted)" of a cgroup that was removed
};

/// Points into the text. Errors with the line: `malformed`, `truncated` (no '\n' at the end). Empty
/// text: a kernel without cgroups mounted.
Result<std::vector<CgroupLine>> parse_proc_cgroup(std::string_view text);

/// The one path that tells most: of version 2, else of systemd's own hierarchy, else of the memory
/// controller, else the first; a root only where all are. Empty: no line.
std::string_view telling_cgroup(const std::vector<CgroupLine>& lines);

/// What systemd runs there. Empty: none.
struct SystemdUnits {
  std::string_view unit = {};  ///< of the system's manager: "cron.service", "user@1000.service"
  std::string_view user_unit = {};  ///< of a user's manager, below user@.service
};
SystemdUnits units_of_cgroup(std::string_view path);

}  // namespace smaps_audit
