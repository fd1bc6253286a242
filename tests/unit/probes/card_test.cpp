// SPDX-License-Identifier: Apache-2.0
#include "probes/card.h"

#include <gtest/gtest.h>

#include <array>

namespace smaps_audit::probes {
namespace {

ProbeResult result_of(const char* probe, Outcome outcome, std::vector<DefectSeen> defects) {
  ProbeResult result;
  result.probe = probe;
  result.answer.outcome = outcome;
  result.answer.reason = "because";
  result.answer.defects = std::move(defects);
  return result;
}

HostInfo host() {
  HostInfo host;
  host.kernel_release = "6.1.0-test";
  host.boot_id = "boot";
  return host;
}

TEST(BehaviourCard, KnowsNothingBeforeAProbeRan) {
  const BehaviourCard card = make_card({}, host(), {});
  EXPECT_EQ(card.defects.size(), defect_rows().size());
  for (const CardRow& row : card.defects) {
    EXPECT_EQ(row.state, DefectState::unknown) << row.id;
    EXPECT_FALSE(row.reason.empty()) << row.id;
  }
  EXPECT_TRUE(card.gup_era.empty());
}

TEST(BehaviourCard, BelievesOneProbeThatSawItOverOneThatDidNot) {
  const std::array results{result_of("protnone-thp", Outcome::pass, {{"K01", false, "counted"}}),
                           result_of("numa-hinted-thp", Outcome::fail, {{"K01", true, "left out"}}),
                           result_of("protnone-shmem", Outcome::pass, {{"K01", false, "counted"}})};
  const BehaviourCard card = make_card(results, host(), {});
  ASSERT_NE(card.find("K01"), nullptr);
  EXPECT_EQ(card.find("K01")->state, DefectState::present);
  EXPECT_EQ(card.find("K01")->reason, "numa-hinted-thp: left out");
}

TEST(BehaviourCard, TellsWhyItDoesNotKnow) {
  const std::array results{result_of("follow-page", Outcome::inconclusive, {})};
  const BehaviourCard card = make_card(results, host(), {});
  EXPECT_EQ(card.find("K02")->state, DefectState::unknown);
  EXPECT_EQ(card.find("K02")->reason, "follow-page: because");
  EXPECT_EQ(card.find("K03")->reason, "not run: rollup-contention");
  EXPECT_EQ(card.find("K08")->reason, "a probe would have to poison memory");
}

TEST(BehaviourCard, KeepsWhatWasKnownOfTheSameBoot) {
  const std::array earlier_results{
      result_of("thp-dirty", Outcome::pass, {{"K15", false, "stays dirty"}}),
      result_of("follow-page", Outcome::pass, {{"K02", false, "found"}})};
  const std::array results{result_of("follow-page", Outcome::fail, {{"K02", true, "lost"}})};
  const BehaviourCard earlier = make_card(earlier_results, host(), {});
  BehaviourCard card = make_card(results, host(), {});
  merge_earlier(card, earlier);
  EXPECT_EQ(card.find("K15")->state, DefectState::absent);
  EXPECT_EQ(card.find("K02")->state, DefectState::present);
}

TEST(BehaviourCard, RemembersWhichProbesFailedWithoutTheNameOfADefect) {
  const std::array earlier_results{result_of("control", Outcome::fail, {}),
                                   result_of("guard", Outcome::fail, {}),
                                   result_of("swap", Outcome::fail, {}),
                                   result_of("thp-dirty", Outcome::fail, {{"K15", true, "lost"}})};
  const std::array results{result_of("control", Outcome::pass, {}),
                           result_of("guard", Outcome::skipped, {})};
  const BehaviourCard earlier = make_card(earlier_results, host(), {});
  EXPECT_EQ(earlier.nameless, (std::vector<std::string>{"control", "guard", "swap"}));
  BehaviourCard card = make_card(results, host(), {});
  EXPECT_TRUE(card.nameless.empty());
  merge_earlier(card, earlier);
  EXPECT_EQ(card.nameless, (std::vector<std::string>{"guard", "swap"}));
}

TEST(BehaviourCard, HoldsTheLastOutcomeOfEachProbe) {
  std::array earlier_results{result_of("thp-dirty", Outcome::pass, {}),
                             result_of("follow-page", Outcome::pass, {}),
                             result_of("control", Outcome::pass, {})};
  std::array results{result_of("follow-page", Outcome::fail, {}),
                     result_of("control", Outcome::skipped, {})};
  BehaviourCard earlier = make_card(earlier_results, host(), {});
  for (CardProbe& row : earlier.probes) row.taken = std::chrono::seconds(1);
  BehaviourCard card = make_card(results, host(), {});
  merge_earlier(card, earlier);
  const std::vector<CardProbe> expected{
      {"control", Outcome::pass, "because", std::chrono::seconds(1)},
      {"follow-page", Outcome::fail, "because", std::chrono::seconds(0)},
      {"thp-dirty", Outcome::pass, "because", std::chrono::seconds(1)}};
  EXPECT_EQ(card.probes, expected);
}

TEST(BehaviourCard, ForgetsAnotherBootAndAnotherLivePatch) {
  const std::array results{result_of("thp-dirty", Outcome::pass, {{"K15", false, "stays dirty"}})};
  BehaviourCard earlier = make_card(results, host(), {});
  BehaviourCard card = make_card({}, host(), {"fix_thp"});
  merge_earlier(card, earlier);
  EXPECT_EQ(card.find("K15")->state, DefectState::unknown);
  earlier.boot_id = "another";
  card = make_card({}, host(), {});
  merge_earlier(card, earlier);
  EXPECT_EQ(card.find("K15")->state, DefectState::unknown);
}

}  // namespace
}  // namespace smaps_audit::probes
