// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli_fixture.h"
#include "config/settings_json.h"
#include "tests/support/temporary_directory.h"

namespace smaps_audit {
namespace {

class ConfigCommand : public testing::Test {
 protected:
  std::string file_with(std::string_view text) {
    write_whole_file(path, text);
    return path;
  }

  TemporaryDirectory directory;
  std::string path = directory.file("a.json");
  CliFixture cli;
};

TEST_F(ConfigCommand, CheckSaysThatAFileIsRight) {
  const CliRun run = cli.run({"config", "check", file_with("{} // all of it")});
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_EQ(run.out, path + ": right\n");
  EXPECT_EQ(run.err, "");
  EXPECT_EQ(cli.run({"config", "check", "-q", path}).out, "");
}

TEST_F(ConfigCommand, CheckTellsAllThatIsWrong) {
  const CliRun run = cli.run(
      {"config", "check", file_with("{\"audi\": {},\n \"limits\": {\"exported_groups\": 0}}")});
  EXPECT_EQ(run.exit_code, 78);
  EXPECT_EQ(run.out, "");
  EXPECT_EQ(run.err, path + ":1:2: audi: unknown key; did you mean \"audit\"?\n" + path +
                         ":2:32: limits.exported_groups: 0 is out of range; a whole number from 1 "
                         "to 200\n");
}

TEST_F(ConfigCommand, CheckOfAMissingFileIsABadConfiguration) {
  const CliRun run = cli.run({"config", "check", path});
  EXPECT_EQ(run.exit_code, 78);
  EXPECT_EQ(run.err, path + ": can't be read (No such file or directory)\n");
}

TEST_F(ConfigCommand, CheckTellsTheSameInJson) {
  const CliRun run =
      cli.run({"config", "check", "--format", "json", file_with("{\"reading\": \"n\xC3\xB6\"}")});
  EXPECT_EQ(run.exit_code, 78);
  EXPECT_EQ(run.err, "");
  const auto json = nlohmann::json::parse(run.out);
  EXPECT_EQ(json["schema"], "smaps-audit.config-check/1");
  EXPECT_EQ(json["ok"], false);
  ASSERT_EQ(json["problems"].size(), 1U);
  EXPECT_EQ(json["problems"][0]["path"], "reading");
  EXPECT_EQ(json["problems"][0]["line"], 1);
  EXPECT_EQ(json["problems"][0]["column"], 13);
  const CliRun right = cli.run({"config", "check", "--format", "json", file_with("{}")});
  EXPECT_EQ(right.exit_code, 0);
  EXPECT_EQ(nlohmann::json::parse(right.out)["ok"], true);
}

TEST_F(ConfigCommand, CheckKeepsTheTerminalSafe) {
  const CliRun run = cli.run({"config", "check", file_with("{\"a\\u001b[31m\xC2\x9B\": 1}")});
  EXPECT_EQ(run.exit_code, 78);
  EXPECT_EQ(run.err.find('\x1b'), std::string::npos);
  EXPECT_EQ(run.err.find("\xC2\x9B"), std::string::npos);
}

TEST_F(ConfigCommand, DumpWithoutAFileIsTheDefaults) {
  const CliRun run = cli.run({"config", "dump"});
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_EQ(run.out, settings_json(Settings{}));
}

TEST_F(ConfigCommand, DumpIsAConfigurationAndItsOwnDump) {
  const CliRun first =
      cli.run({"config", "dump", file_with("{\"audit\": {\"interval\": \"60s\"}}")});
  EXPECT_EQ(first.exit_code, 0);
  EXPECT_NE(first.out.find("\"interval\": \"1m\""), std::string::npos);
  const CliRun second = cli.run({"config", "dump", file_with(first.out)});
  EXPECT_EQ(second.exit_code, 0);
  EXPECT_EQ(second.out, first.out);
}

TEST_F(ConfigCommand, DumpGoesToAFile) {
  const std::string other = directory.file("b.json");
  EXPECT_EQ(cli.run({"config", "dump", "-o", other}).exit_code, 0);
  EXPECT_EQ(read_whole_file(other), settings_json(Settings{}));
  EXPECT_EQ(cli.run({"config", "dump", "-o", directory.file("no/b.json")}).exit_code, 77);
}

TEST_F(ConfigCommand, DumpOfABrokenFileIsNoConfiguration) {
  const CliRun run = cli.run({"config", "dump", file_with("{")});
  EXPECT_EQ(run.exit_code, 78);
  EXPECT_EQ(run.out, "");
  EXPECT_EQ(run.err, path +
                         ":1:2: unexpected end of input; expected string literal; a bracket is "
                         "not closed\n");
}

TEST_F(ConfigCommand, NeedsToBeToldWhatToDo) {
  for (const std::vector<std::string>& words : {std::vector<std::string>{"config"},
                                                {"config", "check"},
                                                {"config", "show"},
                                                {"config", "check", "a", "b"},
                                                {"config", "dump", "--format", "json"}}) {
    const CliRun run = cli.run(words);
    EXPECT_EQ(run.exit_code, 64) << words.back();
    EXPECT_NE(run.err.find("smaps-audit config"), std::string::npos) << run.err;
  }
  const CliRun help = cli.run({"config", "--help"});
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_NE(help.out.find("Examples:"), std::string::npos);
  EXPECT_NE(help.out.find("78"), std::string::npos);
}

}  // namespace
}  // namespace smaps_audit
