// SPDX-License-Identifier: Apache-2.0
#include "cli/command_tree.h"

#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <array>
#include <nlohmann/json.hpp>
#include <string>
#include <variant>
#include <vector>

#include "cli/command_line.h"

namespace smaps_audit {
namespace {

using Json = nlohmann::json;

Json option_of(const Json& verb, const std::string& name) {
  for (const Json& option : verb.at("options")) {
    if (option.at("names").back() == name) return option;
  }
  return nullptr;
}

TEST(CommandTree, TellsOfAnOptionWhatHelpTells) {
  CLI::App app{"Says things", "sayer"};
  std::string file;
  std::string form;
  std::vector<std::string> pids;
  app.add_option("-o,--output", file, "Where to")->type_name("FILE")->required();
  app.add_option("--format", form, "How")->option_text("text|json");
  app.add_option("PID", pids, "Whom")->type_name("");
  bool quiet = false;
  app.add_flag("-q,--quiet", quiet, "No word");
  const Json tree = Json::parse(command_tree(app));
  EXPECT_EQ(tree.at("name"), "sayer");
  EXPECT_EQ(tree.at("meaning"), "Says things");
  EXPECT_EQ(option_of(tree, "--output"), Json::parse(R"({"names": ["-o", "--output"],
      "positional": false, "required": true, "repeated": false, "value": "FILE", "choices": [],
      "meaning": "Where to"})"));
  EXPECT_EQ(option_of(tree, "--format").at("choices"), Json::parse(R"(["text", "json"])"));
  EXPECT_EQ(option_of(tree, "--quiet").at("value"), "");
  EXPECT_EQ(option_of(tree, "PID").at("positional"), true);
  EXPECT_EQ(option_of(tree, "PID").at("repeated"), true);
}

TEST(CommandTree, LeavesOutWhatIsHidden) {
  CLI::App app{"", "sayer"};
  app.add_flag("--secret")->group("");
  app.add_subcommand("hidden")->group("");
  app.add_subcommand("seen");
  const Json tree = Json::parse(command_tree(app));
  EXPECT_EQ(option_of(tree, "--secret"), nullptr);
  ASSERT_EQ(tree.at("commands").size(), 1U);
  EXPECT_EQ(tree.at("commands").at(0).at("name"), "seen");
}

TEST(CommandTree, GivesAVerbItsOwnFooterOnly) {
  CLI::App app{"", "sayer"};
  app.footer("of all");
  app.add_subcommand("plain");
  app.add_subcommand("special")->footer("of one");
  const Json tree = Json::parse(command_tree(app));
  EXPECT_EQ(tree.at("footer"), "of all");
  EXPECT_EQ(tree.at("commands").at(0).at("footer"), "");
  EXPECT_EQ(tree.at("commands").at(1).at("footer"), "of one");
}

TEST(CommandTree, IsPrintedByAHiddenOption) {
  const std::array words{"smaps-audit", "--print-commands"};
  const Command command = parse_command_line(words.size(), words.data());
  const auto* const printed = std::get_if<EarlyExit>(&command);
  ASSERT_NE(printed, nullptr);
  EXPECT_EQ(printed->exit_code, 0);
  const Json tree = Json::parse(printed->text);
  EXPECT_EQ(tree.at("commands").at(0).at("name"), "check");
  EXPECT_NE(option_of(tree.at("commands").at(0), "--format"), nullptr);
  EXPECT_EQ(option_of(tree.at("commands").at(0), "--without"), nullptr);
}

}  // namespace
}  // namespace smaps_audit
