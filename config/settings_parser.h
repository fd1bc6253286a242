// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/object_reader.h"
#include "config/settings.h"
#include "config/settings_problem.h"

namespace smaps_audit {

/// Settings, or everything that is wrong with the text, in the order of the text. Never both: a
/// configuration is taken whole or not at all.
using SettingsOrProblems = std::variant<Settings, std::vector<SettingsProblem>>;

/// JSON with comments; docs/configuration.md. What is not in the text has its default. A key that
/// is not known, or there twice, a value of the wrong kind or out of range, a rule that can never
/// match are problems; all of them are told, but a syntax error ends the reading. No exceptions.
SettingsOrProblems parse_settings(std::string_view text, const UserLookup& find_user);

/// The same of a file; users are those of this machine. A file that can't be read, or has more than
/// a MiB, is a problem without a place.
SettingsOrProblems load_settings(const std::string& file);

/// "FILE:12:5: audit.intervall: unknown key; did you mean \"interval\"?", a line each.
std::string problems_text(const std::string& file, const std::vector<SettingsProblem>& problems);

}  // namespace smaps_audit
