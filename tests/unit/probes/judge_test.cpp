// SPDX-License-Identifier: Apache-2.0
#include "probes/judge.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "probes/all_probes.h"

namespace smaps_audit::probes {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

RegionMeasure measure(std::uint64_t smaps, std::uint64_t numa, std::uint64_t pagemap) {
  RegionMeasure measure;
  measure.vmas = 1;
  measure.smaps.set(SmapsField::rss, smaps);
  measure.numa_bytes = numa;
  measure.present_bytes = pagemap;
  return measure;
}

Finding k01() {
  Finding finding;
  finding.defect = "K01";
  return finding;
}

/// A subject of 16 MiB and both controls, as a healthy kernel shows them.
Observation healthy() {
  Observation seen;
  seen.state = "prot-none";
  const auto add = [&seen](const char* name, Role role, std::uint64_t size,
                           std::uint64_t resident) {
    const std::uint64_t start = kMiB * 64 * (seen.truths.size() + 1);
    seen.truths.push_back(
        {.name = name, .role = role, .range = {start, start + size}, .resident_bytes = resident});
    seen.measures.push_back(measure(resident, resident, resident));
  };
  add("prot-none", Role::subject, 16 * kMiB, 16 * kMiB);
  add("prot-read", Role::negative, 4 * kMiB, 4 * kMiB);
  add("half-given-back", Role::positive, 4 * kMiB, 2 * kMiB);
  seen.facts["faults_while_held"] = 0;
  seen.audit.emplace();
  seen.audit->verdict = Verdict::consistent;
  seen.audit->reported.numa_maps_bytes = 1;
  return seen;
}

TEST(ProbeJudge, PassesWhereAllAgree) {
  const Answer answer = judge_residency(healthy());
  EXPECT_EQ(answer.outcome, Outcome::pass) << answer.reason;
  EXPECT_EQ(answer.expected, "prot-none 16384 kB");
}

TEST(ProbeJudge, NamesK01WhereSmapsAloneLeavesHugePagesOut) {
  Observation seen = healthy();
  seen.measures[0] = measure(0, 16 * kMiB, 16 * kMiB);
  seen.audit->verdict = Verdict::finding;
  seen.audit->findings = {k01()};
  const Answer answer = judge_residency(seen);
  EXPECT_EQ(answer.outcome, Outcome::fail);
  EXPECT_EQ(answer.present_defects(), std::vector<std::string>{"K01"});
  EXPECT_EQ(answer.observed, "prot-none smaps 0 kB, numa_maps 16384 kB, pagemap 16384 kB");
}

TEST(ProbeJudge, DoubtsADeficitThatCheckDoesNotConfirm) {
  Observation seen = healthy();
  seen.measures[0] = measure(0, 16 * kMiB, 16 * kMiB);
  EXPECT_EQ(judge_residency(seen).outcome, Outcome::inconclusive);
}

TEST(ProbeJudge, FailsWithoutANameWhereTheDeficitFitsNoDefect) {
  Observation seen = healthy();
  seen.measures[0] = measure(16 * kMiB, 12 * kMiB, 16 * kMiB);
  const Answer answer = judge_residency(seen);
  EXPECT_EQ(answer.outcome, Outcome::fail);
  EXPECT_TRUE(answer.present_defects().empty());
  EXPECT_NE(answer.reason.find("numa_maps"), std::string::npos) << answer.reason;
}

TEST(ProbeJudge, BelievesNoChildThatNothingConfirms) {
  Observation seen = healthy();
  seen.truths[0].resident_bytes = 8 * kMiB;
  const Answer answer = judge_residency(seen);
  EXPECT_EQ(answer.outcome, Outcome::inconclusive);
  EXPECT_NE(answer.reason.find("no interface confirms"), std::string::npos) << answer.reason;
}

TEST(ProbeJudge, IsInconclusiveWhereAControlReadsWrong) {
  for (const std::size_t control : {1U, 2U}) {
    Observation seen = healthy();
    seen.measures[control] = measure(4096, 4096, 4096);
    const Answer answer = judge_residency(seen);
    EXPECT_EQ(answer.outcome, Outcome::inconclusive);
    EXPECT_NE(answer.reason.find(seen.truths[control].name), std::string::npos) << answer.reason;
  }
}

TEST(ProbeJudge, IsInconclusiveWhereTheChildDidNotHoldStill) {
  Observation seen = healthy();
  seen.facts["faults_while_held"] = 2;
  EXPECT_EQ(judge_residency(seen).outcome, Outcome::inconclusive);
  seen = healthy();
  seen.measures[0].vmas = 0;
  EXPECT_EQ(judge_residency(seen).outcome, Outcome::inconclusive);
  EXPECT_EQ(judge_residency(Trial{}, "prot-none").outcome, Outcome::inconclusive);
}

TEST(ProbeJudge, FailsWhereDataWasDamaged) {
  Trial trial{.observations = {healthy()}, .facts = {{"data_intact", 0}}};
  EXPECT_EQ(kProtnoneBase.judge(trial).outcome, Outcome::fail);
  trial.facts["data_intact"] = 1;
  EXPECT_EQ(kProtnoneBase.judge(trial).outcome, Outcome::pass);
  trial.facts.clear();
  EXPECT_EQ(kProtnoneBase.judge(trial).outcome, Outcome::inconclusive);
}

/// follow-page: every page of every region found.
Trial all_found() {
  Observation seen = healthy();
  for (std::size_t i = 0; i < seen.truths.size(); ++i) {
    seen.measures[i].move_status = {{0, seen.truths[i].resident_bytes / 4096}};
  }
  seen.measures[2].move_status[-ENOENT] = 512;
  return {.observations = {seen}, .facts = {{"data_intact", 1}, {"refused", 1}}};
}

TEST(ProbeJudge, FollowPagePassesWhereEveryPageIsFound) {
  const Answer answer = kFollowPage.judge(all_found());
  EXPECT_EQ(answer.outcome, Outcome::pass) << answer.reason;
}

TEST(ProbeJudge, FollowPageNamesK02) {
  Trial trial = all_found();
  trial.observations[0].measures[0].move_status = {{-EFAULT, 4096}};
  const Answer answer = kFollowPage.judge(trial);
  EXPECT_EQ(answer.outcome, Outcome::fail);
  EXPECT_EQ(answer.present_defects(), std::vector<std::string>{"K02"});
  EXPECT_NE(answer.observed.find("4096 pages EFAULT"), std::string::npos) << answer.observed;
}

TEST(ProbeJudge, FollowPageDoubtsAnInstrumentThatMissesItsControl) {
  Trial trial = all_found();
  trial.observations[0].measures[1].move_status = {{-ENOENT, 1024}};
  EXPECT_EQ(kFollowPage.judge(trial).outcome, Outcome::inconclusive);
}

/// thp-dirty: huge, base, lazily free.
Trial dirty(std::uint64_t huge_after) {
  Trial trial;
  trial.facts["data_intact"] = 1;
  for (const char* const state : {"written", "rights-taken-and-given-back"}) {
    Observation seen = healthy();
    seen.state = state;
    for (std::size_t i = 0; i < 3; ++i) {
      seen.truths[i].resident_bytes = 8 * kMiB;
      seen.measures[i] = measure(8 * kMiB, 8 * kMiB, 8 * kMiB);
      seen.measures[i].smaps.set(SmapsField::private_dirty, i == 2 ? 0 : 8 * kMiB);
    }
    trial.observations.push_back(seen);
  }
  trial.observations[1].measures[0].smaps.set(SmapsField::private_dirty, huge_after);
  return trial;
}

TEST(ProbeJudge, ThpDirtyNamesK15) {
  EXPECT_EQ(kThpDirty.judge(dirty(8 * kMiB)).outcome, Outcome::pass);
  const Answer answer = kThpDirty.judge(dirty(0));
  EXPECT_EQ(answer.outcome, Outcome::fail);
  EXPECT_EQ(answer.present_defects(), std::vector<std::string>{"K15"});
}

TEST(ProbeJudge, ThpDirtyDoubtsAKernelThatShowsNothingAsClean) {
  Trial trial = dirty(8 * kMiB);
  trial.observations[1].measures[2].smaps.set(SmapsField::private_dirty, 8 * kMiB);
  EXPECT_EQ(kThpDirty.judge(trial).outcome, Outcome::inconclusive);
}

Trial counters(std::int64_t waiting_pages, std::int64_t ended_pages) {
  Trial trial;
  trial.facts["cpus"] = 2;
  for (const auto& [state, missing] :
       {std::pair{"threads-wait", waiting_pages}, std::pair{"threads-ended", ended_pages}}) {
    Observation seen = healthy();
    seen.state = state;
    seen.smaps_anonymous_bytes = 32 * kMiB;
    seen.status.emplace();
    seen.status->rss_anon =
        static_cast<std::uint64_t>(static_cast<std::int64_t>(32 * kMiB) - missing * 4096);
    trial.observations.push_back(seen);
  }
  return trial;
}

TEST(ProbeJudge, CounterSlackTellsThreadsFromCpus) {
  EXPECT_EQ(kCounterSlack.judge(counters(0, 0)).outcome, Outcome::pass);
  EXPECT_EQ(kCounterSlack.judge(counters(1952, 0)).present_defects(),
            std::vector<std::string>{"K05"});
  EXPECT_EQ(kCounterSlack.judge(counters(40, 37)).present_defects(),
            std::vector<std::string>{"K06"});
  EXPECT_EQ(kCounterSlack.judge(counters(-40, -37)).present_defects(),
            std::vector<std::string>{"K06"});
  const Answer wild = kCounterSlack.judge(counters(5000, 5000));
  EXPECT_EQ(wild.outcome, Outcome::fail);
  EXPECT_TRUE(wild.present_defects().empty());
}

Trial rollup(std::int64_t lowest, std::int64_t reads, std::int64_t churns) {
  Trial trial;
  trial.facts["churns"] = churns;
  for (const char* const state : {"quiet", "threads-map-and-unmap", "half-given-back"}) {
    Observation seen = healthy();
    seen.state = state;
    const bool halved = seen.state == "half-given-back";
    seen.truths.resize(1);
    seen.measures.resize(1);
    seen.truths[0].resident_bytes = halved ? 8 * kMiB : 16 * kMiB;
    seen.rollup_rss_bytes = seen.smaps_rss_bytes = seen.truths[0].resident_bytes + 4096;
    trial.observations.push_back(seen);
  }
  trial.observations[1].facts = {{"lowest_rss", lowest}, {"reads", reads}};
  return trial;
}

TEST(ProbeJudge, RollupContentionNamesK03) {
  constexpr auto kWhole = static_cast<std::int64_t>(16 * kMiB);
  EXPECT_EQ(kRollupContention.judge(rollup(kWhole, 100, 5000)).outcome, Outcome::pass);
  const Answer answer = kRollupContention.judge(rollup(kWhole / 2, 100, 5000));
  EXPECT_EQ(answer.outcome, Outcome::fail);
  EXPECT_EQ(answer.present_defects(), std::vector<std::string>{"K03"});
}

TEST(ProbeJudge, RollupContentionWantsContention) {
  constexpr auto kWhole = static_cast<std::int64_t>(16 * kMiB);
  EXPECT_EQ(kRollupContention.judge(rollup(kWhole, 3, 5000)).outcome, Outcome::inconclusive);
  EXPECT_EQ(kRollupContention.judge(rollup(kWhole, 100, 10)).outcome, Outcome::inconclusive);
}

}  // namespace
}  // namespace smaps_audit::probes
