// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "config/settings.h"

namespace smaps_audit {

/// All of it as JSON, every key, in the order of the shipped file; parse_settings() makes the same
/// of it. Ends with a newline.
std::string settings_json(const Settings& settings);

}  // namespace smaps_audit
