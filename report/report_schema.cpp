// SPDX-License-Identifier: Apache-2.0
#include "report/report_schema.h"

#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "report/report_schema_text.h"

namespace smaps_audit {
namespace {

using Json = nlohmann::ordered_json;

struct Description {
  std::vector<ReportField> fields;
  std::vector<ReportWord> words;
};

std::string type_of(const Json& node) {
  if (node.contains("const")) return node.at("const").get<std::string>();
  if (node.contains("enum")) return "one of " + std::to_string(node.at("enum").size()) + " words";
  if (node.contains("oneOf")) {
    const Json& choices = node.at("oneOf");
    const bool nullable = !choices.back().contains("const");
    return std::string{"a word"} + (nullable ? " or null" : "");
  }
  if (!node.contains("type")) return "anything";
  const Json& type = node.at("type");
  if (type.is_string()) return type;
  std::string text;
  for (const Json& one : type) text += (text.empty() ? "" : " or ") + one.get<std::string>();
  return text;
}

class Walker {
 public:
  explicit Walker(const Json& schema) : schema_(schema) {}

  Description walk() {
    walk_properties(schema_, "");
    return std::move(found_);
  }

 private:
  const Json& resolve(const Json& node) const {
    constexpr std::string_view kPrefix = "#/$defs/";
    if (!node.contains("$ref")) return node;
    const std::string target = node.at("$ref");
    return schema_.at("$defs").at(target.substr(kPrefix.size()));
  }

  void walk_properties(const Json& object, const std::string& prefix) {
    if (!object.contains("properties")) return;
    for (const auto& property : object.at("properties").items()) {
      visit(resolve(property.value()), prefix + property.key());
    }
  }

  void visit(const Json& node, const std::string& path) {
    found_.fields.push_back(
        {.path = path, .type = type_of(node), .meaning = node.at("description")});
    if (node.contains("oneOf")) {
      for (const Json& choice : node.at("oneOf")) {
        if (!choice.contains("const")) continue;
        found_.words.push_back(
            {.word = choice.at("const"), .path = path, .meaning = choice.at("description")});
      }
    }
    walk_properties(node, path + ".");
    if (node.contains("items")) walk_properties(resolve(node.at("items")), path + ".");
  }

  const Json& schema_;
  Description found_;
};

// The text is part of the program: if it is off, that is our bug, and the unit test sees it first.
Description describe_report() {
  try {
    const Json schema = Json::parse(kReportSchemaText);
    return Walker{schema}.walk();
  } catch (const Json::exception& error) {
    std::fprintf(stderr, "schema/report-1.schema.json: %s\n", error.what());
    std::abort();
  }
}

const Description& description() {
  static const Description found = describe_report();
  return found;
}

}  // namespace

const std::vector<ReportField>& report_fields() { return description().fields; }
const std::vector<ReportWord>& report_words() { return description().words; }

}  // namespace smaps_audit
