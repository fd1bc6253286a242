// SPDX-License-Identifier: Apache-2.0
#include "config/settings_schema.h"

#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "config/settings_schema_text.h"

namespace smaps_audit {
namespace {

using Json = nlohmann::ordered_json;

std::string range_of(const Json& node) {
  if (node.contains("minimum") && node.contains("maximum")) {
    return node.at("minimum").dump() + " to " + node.at("maximum").dump();
  }
  std::string words;
  if (!node.contains("enum")) return words;
  for (const Json& word : node.at("enum")) {
    words += (words.empty() ? "" : ", ") + word.get<std::string>();
  }
  return words;
}

void walk(const Json& object, const std::string& prefix, std::vector<SettingKey>& keys) {
  for (const auto& property : object.at("properties").items()) {
    const Json& node = property.value();
    const std::string path = prefix + property.key();
    if (path == "$schema") continue;
    if (node.contains("properties")) {
      walk(node, path + ".", keys);
      continue;
    }
    keys.push_back({.path = path,
                    .meaning = node.at("description").get<std::string>(),
                    .default_value = node.contains("default") ? node.at("default").dump() : "",
                    .range = range_of(node)});
  }
}

std::vector<SettingKey> read_schema() {
  try {
    const Json schema = Json::parse(kConfigSchemaText);
    std::vector<SettingKey> keys;
    walk(schema, "", keys);
    walk(schema.at("$defs").at("rule"), "targets.rules[].", keys);
    return keys;
  } catch (const Json::exception& error) {
    // Compiled in, and read by a test.
    std::fprintf(stderr, "schema/config-1.schema.json: %s\n", error.what());
    std::abort();
  }
}

}  // namespace

const std::vector<SettingKey>& setting_keys() {
  static const std::vector<SettingKey> keys = read_schema();
  return keys;
}

}  // namespace smaps_audit
