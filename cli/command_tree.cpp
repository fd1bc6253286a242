// SPDX-License-Identifier: Apache-2.0
#include "cli/command_tree.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

namespace smaps_audit {
namespace {

using Json = nlohmann::ordered_json;

Json names_of(const CLI::Option& option) {
  Json names = Json::array();
  for (const std::string& name : option.get_snames()) names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) names.push_back("--" + name);
  if (names.empty()) names.push_back(option.get_name(true));
  return names;
}

std::string value_of(const CLI::Option& option) {
  if (option.get_items_expected_max() == 0) return "";
  return option.get_option_text().empty() ? option.get_type_name() : option.get_option_text();
}

Json option_json(const CLI::Option& option) {
  const bool positional = option.get_positional();
  const std::string value = positional ? "" : value_of(option);
  Json choices = Json::array();
  if (value.find('|') != std::string::npos) choices = CLI::detail::split(value, '|');
  return {{"names", names_of(option)},
          {"positional", positional},
          {"required", option.get_required()},
          {"repeated", option.get_items_expected_max() > 1},
          {"value", value},
          {"choices", std::move(choices)},
          {"meaning", option.get_description()}};
}

Json tree_of(const CLI::App& app) {
  Json json{{"name", app.get_name()}, {"meaning", app.get_description()}};
  const CLI::App* const parent = app.get_parent();
  const bool inherited = parent != nullptr && parent->get_footer() == app.get_footer();
  json["footer"] = inherited ? "" : app.get_footer();
  Json& options = json["options"] = Json::array();
  for (const CLI::Option* const option : app.get_options()) {
    if (!option->get_group().empty()) options.push_back(option_json(*option));
  }
  Json& commands = json["commands"] = Json::array();
  for (const CLI::App* const verb : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (!verb->get_group().empty()) commands.push_back(tree_of(*verb));
  }
  return json;
}

}  // namespace

std::string command_tree(const CLI::App& app) { return tree_of(app).dump(1) + "\n"; }

}  // namespace smaps_audit
