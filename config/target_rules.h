// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "config/settings.h"

namespace smaps_audit {

/// What the rules look at. Empty: there is none, or it could not be read; either way no word of a
/// rule fits it, not even "*".
struct TargetFacts {
  std::string_view comm = {};
  std::string_view executable = {};
  std::string_view unit = {};
  std::string_view user_unit = {};  ///< of the user's own manager; `unit` is user@1000.service then
  std::string_view cgroup = {};
  std::optional<std::uint32_t> uid = {};
};

struct TargetGroup {
  std::string name;
  bool configured = false;  ///< named by a rule
  bool operator==(const TargetGroup&) const = default;
};

/// docs/configuration.md, Targets: the first rule that matches decides. nullopt: excluded. Pure.
std::optional<TargetGroup> find_group(const TargetSettings& targets, const TargetFacts& facts);

}  // namespace smaps_audit
