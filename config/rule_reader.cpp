// SPDX-License-Identifier: Apache-2.0
#include "config/rule_reader.h"

#include "base/utf8.h"
#include "config/group_name.h"
#include "config/settings_fields.h"

namespace smaps_audit {
namespace {

using Objection = ObjectReader::Objection;

constexpr std::size_t kLongestComm = 15;  // TASK_COMM_LEN - 1

bool has_wildcard(const std::string& glob) { return glob.find_first_of("*?") != std::string::npos; }

Objection empty_glob() {
  return {.what = "\"\" matches nothing", .remedy = "leave it out, or write * for anything"};
}

Objection check_comm(const std::string& glob) {
  if (glob.empty()) return empty_glob();
  if (has_wildcard(glob) || glob.size() <= kLongestComm) return {};
  return {.what = "\"" + glob + "\" matches nothing: the kernel keeps 15 bytes of a name",
          .remedy = "write \"" + std::string{utf8_prefix(glob, kLongestComm)} +
                    "\", or match the executable"};
}

Objection check_from_root(const std::string& glob) {
  if (glob.empty()) return empty_glob();
  if (glob.starts_with('/') || glob.starts_with('*')) return {};
  return {.what = "\"" + glob + "\" matches nothing: what it is compared with begins with /",
          .remedy = "write \"/" + glob + "\" or \"**/" + glob + "\""};
}

Objection check_cgroup(const std::string& glob) {
  constexpr std::string_view kMount = "/sys/fs/cgroup";
  if (glob.starts_with(kMount)) {
    return {.what = "\"" + glob + "\" matches nothing: paths are those of a process's cgroup file",
            .remedy = "leave " + std::string{kMount} + " out"};
  }
  return check_from_root(glob);
}

Objection check_unit(const std::string& glob) {
  if (glob.empty()) return empty_glob();
  if (has_wildcard(glob) || glob.find('.') != std::string::npos) return {};
  return {.what = "\"" + glob + "\" matches nothing: a unit has its kind in its name",
          .remedy = "write \"" + glob + ".service\""};
}

Objection check_group(const std::string& name) {
  if (name.empty()) return {.what = "\"\" is no name", .remedy = "leave it out, or name it"};
  if (name == kOtherGroup) {
    return {.what = "\"" + name + "\" is where the groups that are not exported are summed up",
            .remedy = "choose another name"};
  }
  if (name.size() <= kLongestGroupName) return {};
  return {.what = "the name is longer than " + std::to_string(kLongestGroupName) + " bytes",
          .remedy = "choose a shorter one"};
}

}  // namespace

TargetRule read_rule(ObjectReader& object) {
  TargetRule rule;
  object.word("action", rule.action, kTargetActions);
  object.text("group", rule.group, check_group);
  object.texts("comm", rule.comms, check_comm);
  object.texts("executable", rule.executables, check_from_root);
  object.texts("unit", rule.units, check_unit);
  object.texts("cgroup", rule.cgroups, check_cgroup);
  object.users("user", rule.users);
  if (rule.action == TargetAction::exclude && object.has("group")) {
    object.report("group", "an excluded process is in no group", "leave it out");
  }
  const bool says_whom = object.has("comm") || object.has("executable") || object.has("unit") ||
                         object.has("cgroup") || object.has("user");
  if (!says_whom) {
    object.report_whole("the rule does not say whom it is about",
                        "give it comm, executable, unit, cgroup or user; for all the rest there "
                        "is targets.unmatched");
  }
  return rule;
}

}  // namespace smaps_audit
