// SPDX-License-Identifier: Apache-2.0
#include "daemon/exported_groups.h"

#include <algorithm>
#include <tuple>

namespace smaps_audit::service {
namespace {

constexpr std::chrono::hours kKept{24};

}  // namespace

std::vector<std::string> ExportedGroups::choose(std::vector<GroupWeight> groups, std::uint32_t most,
                                                std::chrono::nanoseconds now) {
  std::erase_if(kept_until_, [now](const auto& kept) { return kept.second <= now; });
  for (auto& [name, until] : kept_until_) until = std::min(until, now + kKept);
  const auto rank = [this](const GroupWeight& group) {
    const int claim = group.configured                   ? 0
                      : group.has_finding                ? 1
                      : kept_until_.contains(group.name) ? 2
                                                         : 3;
    return std::tuple{claim, ~group.rss_bytes, std::string_view{group.name}};
  };
  std::sort(groups.begin(), groups.end(),
            [&](const GroupWeight& a, const GroupWeight& b) { return rank(a) < rank(b); });
  if (groups.size() > most) groups.resize(most);
  std::vector<std::string> names;
  for (GroupWeight& group : groups) {
    // Kept since it was chosen, not since it was last seen: the choice is open again after a day.
    kept_until_.try_emplace(group.name, now + kKept);
    names.push_back(std::move(group.name));
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace smaps_audit::service
