// SPDX-License-Identifier: Apache-2.0
#include "cli/probe.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli_fixture.h"
#include "tests/support/temporary_directory.h"

namespace smaps_audit {
namespace {

using probes::Outcome;

class ProbeCommand : public ::testing::Test, public CliFixture {
 protected:
  /// As if every probe came to `outcome`.
  void answer(Outcome outcome, const std::vector<probes::DefectSeen>& defects = {}) {
    run_probe = [outcome, defects](const probes::Probe& probe, const probes::ProbeSetup&) {
      probes::ProbeResult result;
      result.probe = probe.name;
      result.answer.outcome = outcome;
      result.answer.reason = "because";
      result.answer.defects = defects;
      return result;
    };
  }

  CliRun probe(std::vector<std::string> words) {
    words.insert(words.begin(), {"probe", "--spool", spool_.path()});
    return CliFixture::run(words);
  }

  TemporaryDirectory spool_;
};

TEST_F(ProbeCommand, ExitsByTheWorstOutcome) {
  EXPECT_EQ(probe({}).exit_code, 0);
  answer(Outcome::inconclusive);
  EXPECT_EQ(probe({}).exit_code, 2);
  answer(Outcome::fail, {{"K05", true, "seen"}});
  EXPECT_EQ(probe({}).exit_code, 1);
  answer(Outcome::skipped);
  EXPECT_EQ(probe({}).exit_code, 77);
}

TEST_F(ProbeCommand, GateStopsForFindingsOnlyAndSaysItInOneLine) {
  answer(Outcome::fail, {{"K05", true, "seen"}});
  CliRun run = probe({"--gate", "counter-slack"});
  EXPECT_EQ(run.exit_code, 0) << run.out;
  answer(Outcome::fail, {{"K15", true, "seen"}});
  run = probe({"--gate", "thp-dirty"});
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_TRUE(run.out.starts_with("smaps-audit gate FAIL: Linux 6.1.0-test")) << run.out;
  EXPECT_EQ(run.out.find('\n'), run.out.size() - 1);
}

TEST_F(ProbeCommand, RunsWhatIsNamed) {
  const CliRun run = probe({"thp-dirty", "control", "--format", "json"});
  const auto json = nlohmann::json::parse(run.out);
  ASSERT_EQ(json["probes"].size(), 2U);
  EXPECT_EQ(json["probes"][0]["probe"], "thp-dirty");
}

TEST_F(ProbeCommand, PrintsOneLineAProbeAsItGoes) {
  const CliRun run = probe({"control", "thp-dirty", "--format", "jsonl"});
  EXPECT_EQ(std::count(run.out.begin(), run.out.end(), '\n'), 2);
  EXPECT_EQ(nlohmann::json::parse(run.out.substr(0, run.out.find('\n')))["probe"], "control");
}

TEST_F(ProbeCommand, ListsWithoutRunning) {
  run_probe = nullptr;
  const CliRun run = probe({"--list"});
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_NE(run.out.find("protnone-thp\n  asks"), std::string::npos) << run.out;
}

TEST_F(ProbeCommand, RefusesWhatMakesNoSense) {
  EXPECT_EQ(probe({"nothing"}).exit_code, 64);
  EXPECT_EQ(probe({"control", "--all"}).exit_code, 64);
  EXPECT_EQ(probe({"--proc-root", "/elsewhere"}).exit_code, 64);
  EXPECT_EQ(probe({"--sabotage", "everything"}).exit_code, 64);
  EXPECT_EQ(probe({"--deadline", "0"}).exit_code, 64);
}

TEST_F(ProbeCommand, KeepsTheCardForTheDoctor) {
  answer(Outcome::fail, {{"K15", true, "lost"}});
  probe({"thp-dirty"});
  answer(Outcome::pass, {{"K02", false, "found"}});
  probe({"follow-page"});
  const CliRun run = CliFixture::run({"doctor", "--kernel", "--spool", spool_.path()});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_NE(run.out.find("K15  present"), std::string::npos) << run.out;
  EXPECT_NE(run.out.find("K02  absent"), std::string::npos) << run.out;
}

TEST_F(ProbeCommand, ShowsNoCardOfOtherLivePatches) {
  answer(Outcome::fail, {{"K15", true, "lost"}});
  probe({"thp-dirty"});
  kernel = [](FakeKernelView& fake) {
    fake.set_directory("/sys/kernel/livepatch", {"livepatch_1"});
  };
  const CliRun run = CliFixture::run({"doctor", "--kernel", "--spool", spool_.path()});
  EXPECT_EQ(run.exit_code, 77);
  EXPECT_NE(run.err.find("other live patches"), std::string::npos) << run.err;
  answer(Outcome::pass);
  const auto json = nlohmann::json::parse(probe({"control", "--format", "json"}).out);
  EXPECT_EQ(json["behaviour_card"]["livepatches"][0], "livepatch_1");
  const std::string card = CliFixture::run({"doctor", "--kernel", "--spool", spool_.path()}).out;
  EXPECT_EQ(card.find("K15  present"), std::string::npos)
      << "it was of the other patches: " << card;
}

TEST_F(ProbeCommand, SaysWhatItLacksWithoutAllowSysctl) {
  run_probe = nullptr;
  const auto json =
      nlohmann::json::parse(probe({"numa-hinted-thp", "ksm-unmerge", "--format", "json"}).out);
  for (const auto& row : json["probes"]) {
    EXPECT_EQ(row["outcome"], "skipped");
    EXPECT_NE(row["reason"].get<std::string>().find("--allow-sysctl"), std::string::npos) << row;
  }
}

TEST_F(ProbeCommand, KeepsNoCardOfASabotagedRun) {
  probe({"control", "--sabotage", "lies"});
  EXPECT_EQ(CliFixture::run({"doctor", "--kernel", "--spool", spool_.path()}).exit_code, 77);
}

TEST_F(ProbeCommand, TellsASignal) {
  stop_signal = [] { return 15; };
  EXPECT_EQ(probe({}).exit_code, 143);
}

}  // namespace
}  // namespace smaps_audit
