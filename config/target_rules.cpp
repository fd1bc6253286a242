// SPDX-License-Identifier: Apache-2.0
#include "config/target_rules.h"

#include <algorithm>

#include "config/glob.h"
#include "config/group_name.h"

namespace smaps_audit {
namespace {

bool any_fits(const std::vector<std::string>& globs, std::string_view fact) {
  return !fact.empty() && std::any_of(globs.begin(), globs.end(), [fact](const std::string& glob) {
    return glob_matches(glob, fact);
  });
}

bool in_any(const std::vector<std::string>& globs, std::string_view cgroup) {
  return !cgroup.empty() && std::any_of(globs.begin(), globs.end(), [&](const std::string& glob) {
    return glob_matches_or_parent(glob, cgroup);
  });
}

bool is_any(const std::vector<UserName>& users, std::optional<std::uint32_t> uid) {
  return uid && std::any_of(users.begin(), users.end(),
                            [uid](const UserName& user) { return user.uid == *uid; });
}

bool matches(const TargetRule& rule, const TargetFacts& facts) {
  if (!rule.comms.empty() && !any_fits(rule.comms, facts.comm)) return false;
  if (!rule.executables.empty() && !any_fits(rule.executables, facts.executable)) return false;
  if (!rule.units.empty() && !any_fits(rule.units, facts.unit) &&
      !any_fits(rule.units, facts.user_unit)) {
    return false;
  }
  if (!rule.cgroups.empty() && !in_any(rule.cgroups, facts.cgroup)) return false;
  return rule.users.empty() || is_any(rule.users, facts.uid);
}

}  // namespace

std::optional<TargetGroup> find_group(const TargetSettings& targets, const TargetFacts& facts) {
  const auto rule = std::find_if(targets.rules.begin(), targets.rules.end(),
                                 [&](const TargetRule& each) { return matches(each, facts); });
  const bool matched = rule != targets.rules.end();
  const TargetAction action = matched ? rule->action : targets.unmatched;
  if (action == TargetAction::exclude) return std::nullopt;
  if (matched && rule->group) return TargetGroup{.name = *rule->group, .configured = true};
  return TargetGroup{.name = group_name(facts.unit, facts.cgroup)};
}

}  // namespace smaps_audit
