// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "config/json_tree.h"

namespace smaps_audit {

/// What is off in a configuration, for somebody who has to put it right.
struct SettingsProblem {
  std::string path;                ///< "audit.interval", "targets.rules[2].comm[0]"; may be empty
  std::optional<TextPlace> place;  ///< nullopt: it is about something that is not in the text
  std::string what;                ///< what was given, and why it can't be
  std::string remedy;              ///< what would be right; may be empty

  /// "12:5: audit.intervall: unknown key: did you mean \"interval\"?"; texts of the file stand in
  /// it as they are (report/printable.h makes them fit for a terminal).
  [[nodiscard]] std::string message() const;
  bool operator==(const SettingsProblem&) const = default;
};

}  // namespace smaps_audit
