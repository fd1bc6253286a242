// SPDX-License-Identifier: Apache-2.0
#include "config/settings_parser.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "config/settings_json.h"
#include "tests/support/temporary_directory.h"

namespace smaps_audit {
namespace {

using nlohmann::ordered_json;

std::optional<std::uint32_t> two_users(const std::string& name) {
  if (name == "root") return 0;
  if (name == "www-data") return 33;
  return std::nullopt;
}

SettingsOrProblems parse(std::string_view text) { return parse_settings(text, two_users); }

/// Without places.
std::vector<std::string> messages(const SettingsOrProblems& outcome) {
  std::vector<std::string> all;
  if (const auto* const problems = std::get_if<std::vector<SettingsProblem>>(&outcome)) {
    for (SettingsProblem problem : *problems) {
      problem.place.reset();
      all.push_back(problem.message());
    }
  }
  return all;
}

/// With places.
std::string told(std::string_view text) {
  const SettingsOrProblems outcome = parse(text);
  const auto* const problems = std::get_if<std::vector<SettingsProblem>>(&outcome);
  return problems == nullptr ? "" : problems_text("f", *problems);
}

Settings good(std::string_view text) {
  const SettingsOrProblems outcome = parse(text);
  EXPECT_EQ(messages(outcome), std::vector<std::string>{}) << text;
  Settings settings;
  if (const auto* const parsed = std::get_if<Settings>(&outcome)) settings = *parsed;
  return settings;
}

ordered_json samples(const char* kind) {
  return ordered_json::parse(
             read_whole_file(SMAPS_AUDIT_SOURCE_DIR "/tests/unit/config/settings_samples.json"))
      .at(kind);
}

TEST(SettingsParser, ShippedFileIsExactlyTheDefaults) {
  const SettingsOrProblems outcome =
      load_settings(SMAPS_AUDIT_SOURCE_DIR "/config/smaps-auditd.json");
  EXPECT_EQ(messages(outcome), std::vector<std::string>{});
  EXPECT_EQ(std::get<Settings>(outcome), Settings{});
}

TEST(SettingsParser, ShippedFileHasEveryKeyInTheOrderOfTheDump) {
  const std::string text = read_whole_file(SMAPS_AUDIT_SOURCE_DIR "/config/smaps-auditd.json");
  EXPECT_EQ(ordered_json::parse(text, nullptr, true, true).dump(2) + "\n",
            settings_json(Settings{}));
}

TEST(SettingsParser, EmptyObjectIsTheDefaults) { EXPECT_EQ(good("{}"), Settings{}); }

TEST(SettingsParser, AcceptsTheSamplesAndTheirDumps) {
  for (const ordered_json& sample : samples("accepted")) {
    SCOPED_TRACE(sample.dump());
    const Settings settings = good(sample.dump());
    EXPECT_EQ(good(settings_json(settings)), settings);
  }
}

TEST(SettingsParser, RefusesTheSamplesInTheseWords) {
  for (const ordered_json& sample : samples("refused")) {
    const std::string text = sample["config"].dump();
    EXPECT_EQ(messages(parse(text)), sample["problems"].get<std::vector<std::string>>()) << text;
  }
}

TEST(SettingsParser, TakesEveryValueFromTheText) {
  const Settings settings = good(R"({
    "reading": false,
    "audit": {"interval": "20s", "cpu_budget_percent": 2.5, "stall_budget": "5ms",
              "stall_allowance_per_day": 0, "read_deadline": "10s", "process_deadline": "2m",
              "min_pause": "3ms"},
    "worker": {"memory_limit": "1GiB", "quarantine_first": "1m", "quarantine_longest": "2d",
               "without": ["pfn", "wchan"]},
    "targets": {"unmatched": "exclude", "rules": [
      {"group": "web", "comm": ["nginx", "php*"], "user": ["www-data", 1000]},
      {"action": "exclude", "executable": "/bin/x", "unit": "a.service", "cgroup": "/a"}]},
    "limits": {"exported_groups": 5},
    "web": {"enable": false, "listen": "[::1]:80", "config_file": "/w"},
    "store": {"path": "/s", "findings": {"max_count": 1, "max_age": "1h", "max_bytes": "1MiB"},
              "captures": {"max_count": 2, "max_age": "2h", "max_bytes": "2MiB"}},
    "probe": {"spool": "/p"},
    "log": {"level": "debug", "format": "json"},
    "paths": {"proc_root": "/hp", "sys_root": "/hs", "off_file": "/o"}})");
  using namespace std::chrono;
  const Settings expected{
      .reading = false,
      .audit = {.interval = seconds(20),
                .cpu_budget_percent = 2.5,
                .stall_budget = milliseconds(5),
                .stall_allowance_per_day = 0,
                .read_deadline = seconds(10),
                .process_deadline = minutes(2),
                .min_pause = milliseconds(3)},
      .worker = {.memory_limit_bytes = 1U << 30U,
                 .quarantine_first = minutes(1),
                 .quarantine_longest = hours(48),
                 .without = {"pfn", "wchan"}},
      .targets = {.rules = {{.group = "web",
                             .comms = {"nginx", "php*"},
                             .users = {{.name = "www-data", .uid = 33},
                                       {.name = "1000", .uid = 1000}}},
                            {.action = TargetAction::exclude,
                             .executables = {"/bin/x"},
                             .units = {"a.service"},
                             .cgroups = {"/a"}}},
                  .unmatched = TargetAction::exclude},
      .limits = {.exported_groups = 5},
      .web = {.enable = false, .listen = {"[::1]:80"}, .config_file = "/w"},
      .store = {.path = "/s",
                .findings = {.max_count = 1, .max_age = hours(1), .max_bytes = 1U << 20U},
                .captures = {.max_count = 2, .max_age = hours(2), .max_bytes = 2U << 20U}},
      .probe = {.spool = "/p"},
      .log = {.level = LogLevel::debug, .format = LogFormat::json},
      .paths = {.proc_root = "/hp", .sys_root = "/hs", .off_file = "/o"}};
  EXPECT_EQ(settings, expected);
  EXPECT_EQ(good(settings_json(expected)), expected);
}

TEST(SettingsParser, TellsEverythingThatIsOffAndWhere) {
  EXPECT_EQ(told("{\n  // a comment\n  \"audit\": {\"intervall\": \"1s\", \"min_pause\": 1},\n"
                 "  /* ä */ \"reading\": \"no\"\n}\n"),
            "f:3:13: audit.intervall: unknown key; did you mean \"interval\"?\n"
            "f:3:45: audit.min_pause: is 1, a number; wanted: a duration as \"15s\"\n"
            "f:4:22: reading: is \"no\", a text; wanted: true or false\n");
}

TEST(SettingsParser, TellsWhereASyntaxErrorIs) {
  EXPECT_EQ(told("{\n  \"reading\": true,\n}\n"),
            "f:3:1: unexpected '}'; expected string literal; remove the comma before it\n");
  EXPECT_EQ(told("{\"a\": 1\n \"b\": 2}"),
            "f:2:2: unexpected string literal; expected '}'; a comma is missing before it\n");
  EXPECT_EQ(told(""),
            "f:1:1: unexpected end of input; expected '[', '{', or a literal; write {} "
            "to take every default\n");
  EXPECT_EQ(told("{\"cgroup\": \"a\\x2d\"}"),
            "f:1:12: invalid string: forbidden character after backslash; a backslash is written "
            "twice: \\\\\n");
}

TEST(SettingsParser, RefusesAKeyThatIsThereTwice) {
  EXPECT_EQ(told("{\"limits\": {\"exported_groups\": 5,\n\"exported_groups\": 5}}"),
            "f:2:1: limits.exported_groups: is there twice, first on line 1; remove one\n");
  EXPECT_EQ(told("{\"log\": {},\n\"log\": {}}"),
            "f:2:1: log: is there twice, first on line 1; remove one\n");
}

TEST(SettingsParser, ComparesTwoKeysOnlyWhereEachIsRight) {
  EXPECT_EQ(told(R"({"audit": {"process_deadline": "10s", "interval": 1}})"),
            "f:1:51: audit.interval: is 1, a number; wanted: a duration as \"15s\"\n");
}

TEST(SettingsParser, ProblemsAreOneLineEachWhateverTheFileHolds) {
  EXPECT_EQ(told("{\"a\\nb\\u001b[31m\": 1}").find('\x1b'), std::string::npos);
  EXPECT_TRUE(told("{\"a\\nb\": 1}").starts_with("f:1:2: a\\x0ab: unknown key; known here: "));
}

TEST(SettingsParser, NestingIsBounded) {
  std::string deep = "{\"audit\": ";
  for (int i = 0; i < 100'000; ++i) deep += '[';
  EXPECT_EQ(told(deep), "f:1:26: nested more than 16 deep; nothing here needs that\n");
}

TEST(SettingsFile, ThatIsNotThereIsAProblem) {
  const TemporaryDirectory directory;
  EXPECT_EQ(messages(load_settings(directory.file("none.json"))),
            std::vector<std::string>{"can't be read (No such file or directory)"});
}

TEST(SettingsFile, ThatIsADirectoryIsAProblem) {
  const TemporaryDirectory directory;
  EXPECT_EQ(messages(load_settings(directory.path())),
            std::vector<std::string>{"can't be read (Is a directory)"});
}

TEST(SettingsFile, HasAtMostAMebibyte) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("large.json");
  constexpr std::size_t kMost = std::size_t{1} << 20;
  write_whole_file(path, "{}" + std::string(kMost - 2, ' '));
  EXPECT_EQ(messages(load_settings(path)), std::vector<std::string>{});
  write_whole_file(path, "{}" + std::string(kMost - 1, ' '));
  EXPECT_EQ(messages(load_settings(path)),
            std::vector<std::string>{"has more than 1MiB; no configuration needs that"});
}

}  // namespace
}  // namespace smaps_audit
