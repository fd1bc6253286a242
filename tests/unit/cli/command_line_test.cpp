// SPDX-License-Identifier: Apache-2.0
#include "cli/command_line.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "report/printable.h"

namespace smaps_audit {
namespace {

Command parse(const std::vector<const char*>& words) {
  std::vector<const char*> argv{"smaps-audit"};
  argv.insert(argv.end(), words.begin(), words.end());
  return parse_command_line(static_cast<int>(argv.size()), argv.data());
}

EarlyExit early(const std::vector<const char*>& words) {
  const Command command = parse(words);
  const auto* const exit = std::get_if<EarlyExit>(&command);
  return exit == nullptr ? EarlyExit{"a command", -1} : *exit;
}

CheckOptions check(const std::vector<const char*>& words) {
  const Command command = parse(words);
  if (const auto* const exit = std::get_if<EarlyExit>(&command)) ADD_FAILURE() << exit->text;
  const auto* const options = std::get_if<CheckOptions>(&command);
  return options == nullptr ? CheckOptions{} : *options;
}

TEST(CommandLine, TakesProcessIdsOnce) {
  EXPECT_EQ(check({"check", "7", "8", "7"}).selection.pids, (std::vector<int>{7, 8}));
}

TEST(CommandLine, RefusesWhatMakesNoSense) {
  const std::vector<std::vector<const char*>> wrong{
      {},
      {"chek"},
      {"check"},
      {"check", "0"},
      {"check", "-1"},
      {"check", "7x"},
      {"check", "99999999999999999999"},
      {"check", "--all", "7"},
      {"check", "--all", "--comm", "x"},
      {"check", "--all", "--freeze"},
      {"check", "7", "--format", "xml"},
      {"check", "7", "--min-coverage", "101"},
      {"check", "7", "--min-coverage", "nan"},
      {"check", "7", "--min-coverage", "9o"},
      {"check", "7", "--deadline", "0"},
      {"check", "7", "--deadline", "inf"},
      {"check", "7", "--without", "everything"},
      {"check", "7", "--freeze", "--proc-root", "/tmp"},
      {"check", "--user", "no-such-user-here"},
      {"check", "7", "--no-such-option"},
      {"capture", "7"},
      {"capture", "-o", "x"},
      {"capture", "7", "8", "-o", "x"},
      {"replay"},
      {"prove"},
      {"findings"},
      {"config"},
  };
  for (const auto& words : wrong) {
    const EarlyExit exit = early(words);
    std::string said;
    for (const char* word : words) said += std::string{word} + " ";
    EXPECT_EQ(exit.exit_code, 64) << said << ": " << exit.text;
    EXPECT_NE(exit.text.find("--help"), std::string::npos) << said;
  }
}

TEST(CommandLine, HintsAtTheSelectionsWhereThereIsNone) {
  EXPECT_NE(early({"check"}).text.find("--all"), std::string::npos);
}

TEST(CommandLine, TakesEverySelection) {
  const CheckOptions options = check({"check", "--comm", "a", "--comm", "b", "--cgroup", "/x",
                                      "--user", "0", "--user", "root", "9"});
  EXPECT_EQ(options.selection.comms, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(options.selection.cgroups, std::vector<std::string>{"/x"});
  EXPECT_EQ(options.selection.users, (std::vector<std::uint32_t>{0, 0}));
  EXPECT_EQ(options.selection.pids, std::vector<int>{9});
}

TEST(CommandLine, TakesFallbacksAsAList) {
  const ForcedFallbacks forced = check({"check", "7", "--without", "pfn,wchan"}).common.without;
  EXPECT_TRUE(forced.no_pfn);
  EXPECT_TRUE(forced.no_wchan);
  EXPECT_FALSE(forced.no_pagemap_scan);
}

TEST(CommandLine, HasTheDefaultsOfTheDesign) {
  const CheckOptions options = check({"check", "7"});
  EXPECT_DOUBLE_EQ(options.min_coverage, 0.95);
  EXPECT_TRUE(options.confirm);
  EXPECT_FALSE(options.freeze);
  EXPECT_EQ(options.common.format, Format::text);
}

TEST(CommandLine, TeachesInItsHelp) {
  for (const char* verb : {"check", "doctor", "capture", "replay", "explain"}) {
    const EarlyExit exit = early({verb, "--help"});
    EXPECT_EQ(exit.exit_code, 0) << verb;
    EXPECT_NE(exit.text.find(std::string{"smaps-audit "} + verb), std::string::npos) << exit.text;
  }
  const std::string help = early({"--help"}).text;
  for (const char* word : {"Examples:", "Exit codes:", "doctor", "capture", "replay", "explain"}) {
    EXPECT_NE(help.find(word), std::string::npos) << word;
  }
  EXPECT_EQ(early({"check", "--help"}).text.find("--no-confirm"), std::string::npos);
  EXPECT_EQ(early({"probe", "--help"}).text.find("-root"), std::string::npos);
}

TEST(CommandLine, KeepsItsHelpWithin80Columns) {
  for (const std::vector<const char*>& words : {std::vector<const char*>{"--help"},
                                                {"check", "--help"},
                                                {"probe", "--help"},
                                                {"doctor", "--help"},
                                                {"capture", "--help"},
                                                {"replay", "--help"},
                                                {"explain", "--help"},
                                                {"findings", "--help"},
                                                {"findings", "list", "--help"},
                                                {"findings", "show", "--help"},
                                                {"findings", "export", "--help"}}) {
    std::istringstream text{early(words).text};
    for (std::string line; std::getline(text, line);) EXPECT_LE(display_columns(line), 80U) << line;
  }
}

TEST(CommandLine, TellsItsVersion) {
  const EarlyExit exit = early({"--version"});
  EXPECT_EQ(exit.exit_code, 0);
  EXPECT_EQ(exit.text, "smaps-audit " + std::string{tool_version()} + "\n");
}

}  // namespace
}  // namespace smaps_audit
