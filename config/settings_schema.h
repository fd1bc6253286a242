// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace smaps_audit {

/// A key of smaps-auditd.json, as schema/config-1.schema.json describes it. A test holds the schema
/// to what the parser takes, to the shipped file, and to docs/configuration.md.
struct SettingKey {
  std::string path;           ///< "audit.interval", "targets.rules[].comm"
  std::string meaning;        ///< a sentence or two
  std::string default_value;  ///< as JSON; empty: it has none
  std::string range;          ///< "1 to 200", "include, exclude"; empty: `meaning` tells
};

/// In the schema's order; of sections what is in them.
const std::vector<SettingKey>& setting_keys();

}  // namespace smaps_audit
