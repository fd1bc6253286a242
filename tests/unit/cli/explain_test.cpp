// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "audit/checks.h"
#include "base/error_codes.h"
#include "cli/explain_topics.h"
#include "cli_fixture.h"
#include "config/known_defects.h"
#include "config/settings_schema.h"
#include "daemon/store/stored_finding.h"
#include "report/kernel_fields.h"
#include "report/reasons.h"
#include "report/report_schema.h"

namespace smaps_audit {
namespace {

std::vector<std::string> ids_of_all_tables() {
  std::vector<std::string> ids;
  for (const KnownDefect& defect : known_defects()) ids.push_back(defect.id);
  for (const CheckText& check : check_texts()) ids.emplace_back(check.id);
  for (const ReasonText& reason : reason_texts()) ids.emplace_back(reason.word);
  for (const ErrorCode code : kErrorCodes) ids.emplace_back(name_of(code));
  for (const ReportField& field : report_fields()) ids.push_back(field.path);
  for (const ReportWord& word : report_words()) ids.push_back(word.word);
  for (const store::Resolution why : store::kResolutions) ids.emplace_back(name_of(why));
  for (const SettingKey& key : setting_keys()) ids.push_back(key.path);
  for (const KernelField& field : kernel_fields()) {
    ids.push_back(std::string{field.file} + "." + std::string{field.name});
  }
  return ids;
}

TEST(Explain, KnowsWhatEveryTableHolds) {
  CliFixture cli;
  for (const std::string& id : ids_of_all_tables()) {
    const CliRun run = cli.run({"explain", id});
    EXPECT_EQ(run.exit_code, 0) << id << run.err;
    EXPECT_NE(run.out.find(id + ": "), std::string::npos) << run.out;
  }
}

TEST(Explain, KnowsEverySettingThatADumpShows) {
  CliFixture cli;
  const auto settings = nlohmann::json::parse(cli.run({"config", "dump"}).out).flatten();
  std::size_t keys = 0;
  for (const auto& [pointer, value] : settings.items()) {
    std::string path = pointer.substr(1);
    std::replace(path.begin(), path.end(), '/', '.');
    if (const std::size_t element = path.find(".listen."); element != std::string::npos) {
      path.resize(element + std::string_view{".listen"}.size());
    }
    const CliRun run = cli.run({"explain", path});
    EXPECT_EQ(run.exit_code, 0) << path << run.err;
    ++keys;
  }
  EXPECT_GT(keys, 25U);
  const CliRun run = cli.run({"explain", "exported_groups"});
  for (const std::string part : {"limits.exported_groups: ", "20", "1 to 200", "metrics name"}) {
    EXPECT_NE(run.out.find(part), std::string::npos) << run.out;
  }
  EXPECT_NE(cli.run({"explain"}).out.find("targets.rules[].comm"), std::string::npos);
}

TEST(Explain, KeepsTo80ColumnsAndLeavesNoSectionEmpty) {
  CliFixture cli;
  std::vector<std::string> texts{cli.run({"explain"}).out};
  for (const std::string& id : ids_of_all_tables()) texts.push_back(cli.run({"explain", id}).out);
  for (const std::string& text : texts) {
    std::istringstream lines{text};
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80U) << line;
  }
  for (const Topic& topic : all_topics()) {
    EXPECT_FALSE(topic.sections.empty()) << topic.id;
    for (const auto& [label, words] : topic.sections) {
      EXPECT_FALSE(words.empty()) << topic.id << ": " << label;
      EXPECT_LE(label.size(), 7U) << label;
    }
  }
}

TEST(Explain, ListsWhatThereIsByKind) {
  const CliRun run = CliFixture{}.run({"explain"});
  EXPECT_EQ(run.exit_code, 0);
  for (const char* word : {"Known defects", "K01", "K15", "Checks", "I12", "Reasons", "maybe_pages",
                           "Errors", "diverged", "smaps.Rss", "processes.truth.rss_low_bytes"}) {
    EXPECT_NE(run.out.find(word), std::string::npos) << word;
  }
}

TEST(Explain, TakesTheLastPartOfAnIdAndEitherCase) {
  CliFixture cli;
  const CliRun rss = cli.run({"explain", "Rss"});
  EXPECT_NE(rss.out.find("smaps.Rss: "), std::string::npos);
  EXPECT_NE(rss.out.find("smaps_rollup.Rss: "), std::string::npos);
  EXPECT_EQ(cli.run({"explain", "k01"}).out, cli.run({"explain", "K01"}).out);
  EXPECT_EQ(cli.run({"explain", "rss_low_bytes"}).out,
            cli.run({"explain", "processes.truth.rss_low_bytes"}).out);
}

TEST(Explain, SaysBothWhereAReasonAndAnErrorShareAWord) {
  const CliRun run = CliFixture{}.run({"explain", "gone"});
  EXPECT_NE(run.out.find("why a process got no conclusive verdict"), std::string::npos) << run.out;
  EXPECT_NE(run.out.find("why something could not be had"), std::string::npos) << run.out;
}

TEST(Explain, NamesTheCureOfK01ThatWorksToday) {
  const std::string text = CliFixture{}.run({"explain", "K01"}).out;
  for (const char* word : {"linux-image-6.12-amd64", "VmRSS", "memory.current", "numa_balancing",
                           "costs", "does not cure", "mprotect"}) {
    EXPECT_NE(text.find(word), std::string::npos) << word << '\n' << text;
  }
}

TEST(Explain, SaysTheSameInJson) {
  CliFixture cli;
  const auto all = nlohmann::json::parse(cli.run({"explain", "--format", "json"}).out);
  EXPECT_EQ(all["schema"], "smaps-audit.explain/1");
  EXPECT_EQ(all["topics"].size(), all_topics().size());
  const auto one = nlohmann::json::parse(cli.run({"explain", "K03", "--format", "json"}).out);
  ASSERT_EQ(one["topics"].size(), 1U);
  EXPECT_EQ(one["topics"][0]["id"], "K03");
  EXPECT_EQ(one["topics"][0]["kind"], "defect");
  EXPECT_FALSE(one["topics"][0]["sections"].empty());
}

TEST(Explain, RefusesWhatItDoesNotKnow) {
  const CliRun run = CliFixture{}.run({"explain", "K99xyz\x1b"});
  EXPECT_EQ(run.exit_code, 64);
  EXPECT_NE(run.err.find("K99xyz\\x1b"), std::string::npos) << run.err;
  EXPECT_TRUE(run.out.empty()) << run.out;
}

TEST(Explain, AsksWhetherSomethingSimilarWasMeant) {
  CliFixture cli;
  EXPECT_NE(cli.run({"explain", "K1"}).err.find("did you mean K01"), std::string::npos);
  EXPECT_NE(cli.run({"explain", "maybe_page"}).err.find("did you mean maybe_pages?"),
            std::string::npos);
  EXPECT_NE(cli.run({"explain", "VmRRS"}).err.find("status.VmRSS"), std::string::npos);
  EXPECT_EQ(cli.run({"explain", "entirely-else"}).err.find("did you mean"), std::string::npos);
  EXPECT_EQ(cli.run({"explain", std::string(5000, 'x')}).exit_code, 64);
}

}  // namespace
}  // namespace smaps_audit
