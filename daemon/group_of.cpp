// SPDX-License-Identifier: Apache-2.0
#include "daemon/group_of.h"

#include "config/target_rules.h"
#include "parsers/proc_cgroup.h"

namespace smaps_audit::service {

GroupOf group_of(const TargetSettings& targets) {
  return [targets](const ProcessListing& process) -> std::optional<GroupChoice> {
    auto group = find_group(targets, {.comm = process.comm,
                                      .executable = process.executable,
                                      .unit = process.unit,
                                      .user_unit = units_of_cgroup(process.cgroup).user_unit,
                                      .cgroup = process.cgroup,
                                      .uid = process.uid});
    if (!group) return std::nullopt;
    return GroupChoice{.name = std::move(group->name), .configured = group->configured};
  };
}

std::vector<std::string> ExportChoice::choose(const Snapshot& snapshot, std::uint32_t most) {
  std::vector<GroupWeight> groups;
  for (const GroupSnapshot& group : snapshot.groups) {
    groups.push_back({.name = group.name,
                      .configured = group.configured,
                      .has_finding = group.findings > 0,
                      .rss_bytes = group.status_rss_bytes});
  }
  return groups_.choose(std::move(groups), most, snapshot.taken);
}

}  // namespace smaps_audit::service
