// SPDX-License-Identifier: Apache-2.0
#include "report/probe_report.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "report/card_report.h"

namespace smaps_audit {
namespace {

using probes::Outcome;

ProbeReport sample() {
  ProbeReport report;
  report.tool_version = "1.2.3";
  report.host.kernel_release = "6.1.0-test";
  report.host.boot_id = "0123456789";
  probes::ProbeResult passed;
  passed.probe = "control";
  passed.answer.outcome = Outcome::pass;
  passed.answer.reason = "all interfaces agree";
  probes::ProbeResult failed;
  failed.probe = "protnone-thp";
  failed.answer = {.outcome = Outcome::fail,
                   .reason = "smaps leaves out 16384 kB, isn't it",
                   .expected = "16384 kB",
                   .observed = "smaps 0 kB",
                   .defects = {{"K01", true, "left out"}},
                   .era = {}};
  failed.duration = std::chrono::milliseconds(250);
  probes::ProbeResult skipped;
  skipped.probe = "kvm-fault";
  skipped.answer.outcome = Outcome::skipped;
  skipped.answer.reason = "no /dev/kvm\x1b";
  report.results = {passed, failed, skipped};
  report.card = probes::make_card(report.results, report.host, {"fix_one"});
  report.verdict = probes::verdict_of(report.results, report.card, false);
  return report;
}

// Its constructor would run at every start of whatever reads a card.
TEST(ProbeReport, NeedsNoLibnuma) {
  std::ifstream maps{"/proc/self/maps"};
  for (std::string line; std::getline(maps, line);) {
    EXPECT_EQ(line.find("libnuma"), std::string::npos) << line;
  }
}

TEST(ProbeReport, KeepsTheSchemaOfTheReport) {
  std::ostringstream out;
  write_probe_json(out, sample());
  const auto json = nlohmann::json::parse(out.str());
  EXPECT_EQ(json["schema"], "smaps-audit.report/1");
  ASSERT_EQ(json["probes"].size(), 3U);
  const auto& failed = json["probes"][1];
  EXPECT_EQ(failed["probe"], "protnone-thp");
  EXPECT_EQ(failed["outcome"], "fail");
  EXPECT_EQ(failed["expected"], "16384 kB");
  EXPECT_EQ(failed["observed"], "smaps 0 kB");
  EXPECT_EQ(failed["defects"], nlohmann::json::array({"K01"}));
  EXPECT_EQ(failed["duration_seconds"], 0.25);
  EXPECT_TRUE(json["probes"][0]["observed"].is_null());
  EXPECT_EQ(json["behaviour_card"]["livepatches"][0], "fix_one");
  EXPECT_EQ(json["processes"], nlohmann::json::array());
}

TEST(ProbeReport, CountsAndQuotesInTap) {
  std::ostringstream out;
  write_probe_tap(out, sample());
  EXPECT_EQ(out.str(),
            "TAP version 13\n1..3\nok 1 - control\nnot ok 2 - protnone-thp\n  ---\n"
            "  outcome: fail\n  defects: [K01]\n  reason: 'smaps leaves out 16384 kB, isn''t it'\n"
            "  expected: '16384 kB'\n  observed: 'smaps 0 kB'\n  ...\n"
            "ok 3 - kvm-fault # SKIP no /dev/kvm\\x1b\n"
            "# smaps-audit probe FAIL: Linux 6.1.0-test: wrong numbers: K01 "
            "(1 passed, 1 failed, 0 inconclusive, 1 skipped)\n");
}

TEST(ProbeReport, ShowsExpectedAndObservedSideBySide) {
  std::ostringstream out;
  write_probe_text(out, sample(), {});
  for (const char* const part : {"K01 smaps leaves out", "expected  16384 kB",
                                 "observed  smaps 0 kB", "present   K01", "live patch: fix_one"}) {
    EXPECT_NE(out.str().find(part), std::string::npos) << part << "\n" << out.str();
  }
  std::istringstream lines{out.str()};
  for (std::string line; std::getline(lines, line);) {
    EXPECT_EQ(line, line.substr(0, line.find_last_not_of(' ') + 1));
  }
}

TEST(ProbeReport, ReadsItsOwnCardBack) {
  ProbeReport report = sample();
  report.card.nameless = {"guard", "swap"};
  const auto card = parse_card(card_text(report.card));
  ASSERT_TRUE(card.ok()) << card.error().message();
  EXPECT_EQ(card->defects, report.card.defects);
  EXPECT_EQ(card->boot_id, report.card.boot_id);
  EXPECT_EQ(card->livepatches, report.card.livepatches);
  EXPECT_FALSE(card->probes.empty());
  EXPECT_EQ(card->probes, report.card.probes);
  EXPECT_EQ(card->nameless, report.card.nameless);
}

TEST(ProbeReport, ReadsACardFromBeforeItHeldOutcomes) {
  std::string text = card_text(sample().card);
  const std::size_t nameless = text.find(",\"nameless\":");
  ASSERT_NE(nameless, std::string::npos);
  text.replace(nameless, std::string::npos, "}");
  const auto card = parse_card(text);
  ASSERT_TRUE(card.ok()) << card.error().message();
  EXPECT_TRUE(card->probes.empty());
  EXPECT_TRUE(card->nameless.empty());
}

TEST(ProbeReport, RefusesACardThatItNeverWrote) {
  for (const char* const text : {"", "{}", "[1]", R"({"schema":"smaps-audit.card/2"})",
                                 R"({"schema":"smaps-audit.card/1","boot_id":1})"}) {
    const auto card = parse_card(text);
    ASSERT_FALSE(card.ok()) << text;
    EXPECT_EQ(card.error().code, ErrorCode::malformed);
  }
}

}  // namespace
}  // namespace smaps_audit
