// SPDX-License-Identifier: Apache-2.0
#include "daemon/group_of.h"

#include <algorithm>

namespace smaps_audit::service {

GroupOf group_of(const TargetSettings& /*targets*/) {
  return [](const ProcessListing& process) -> std::optional<GroupChoice> {
    return GroupChoice{.name = process.unit.empty() ? process.comm : process.unit};
  };
}

std::vector<std::string> ExportChoice::choose(const Snapshot& snapshot, std::uint32_t most) {
  std::vector<std::string> names;
  for (const GroupSnapshot& group : snapshot.groups) {
    if (names.size() < most) names.push_back(group.name);
  }
  return names;
}

}  // namespace smaps_audit::service
