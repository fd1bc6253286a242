// SPDX-License-Identifier: Apache-2.0
#include "daemon/store/probe_results.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "report/card_report.h"
#include "store_fixture.h"

namespace smaps_audit::store {
namespace {

using probes::BehaviourCard;
using probes::Outcome;

BehaviourCard card_of(const std::string& boot, std::vector<probes::CardProbe> outcomes) {
  BehaviourCard card;
  card.tool_version = "0.1.0";
  card.kernel_release = "6.1.0";
  card.boot_id = boot;
  card.taken = at(1);
  card.defects.push_back({"K01", probes::DefectState::present, "protnone-thp: left out"});
  card.probes = std::move(outcomes);
  return card;
}

class ProbeSpool : public ::testing::Test, public StoreFixture {
 protected:
  [[nodiscard]] std::string spool() const { return directory() + "-spool"; }
  [[nodiscard]] std::string file() const { return spool() + "/card.json"; }
  void SetUp() override { std::filesystem::create_directories(spool()); }
  void leave(const BehaviourCard& card) const { write_whole_file(file(), card_text(card)); }
};

TEST_F(ProbeSpool, GivesItsCardToTheStore) {
  Store store = open();
  leave(card_of(kBoot, {{"control", Outcome::pass, "", at(1)},
                        {"protnone-thp", Outcome::fail, "64 MiB left out", at(1)}}));
  const Result<bool> taken = store.take_up_card(spool(), at(2));
  ASSERT_TRUE(taken) << taken.error().message();
  EXPECT_TRUE(*taken);
  EXPECT_FALSE(*store.take_up_card(spool(), at(3)));
  const auto card = store.card(kBoot, at(4));
  ASSERT_TRUE(card) << card.error().message();
  ASSERT_TRUE(card->has_value());
  EXPECT_EQ((*card)->find("K01")->state, probes::DefectState::present);
  EXPECT_EQ((*card)->probes,
            card_of(kBoot, {{"control", Outcome::pass, "", at(1)},
                            {"protnone-thp", Outcome::fail, "64 MiB left out", at(1)}})
                .probes);
  EXPECT_FALSE(store.card("another boot", at(4))->has_value());
}

TEST_F(ProbeSpool, KeepsTheLastOutcomeOfEachProbe) {
  Store store = open();
  leave(card_of(kBoot, {{"control", Outcome::inconclusive, "busy", at(1)},
                        {"thp-dirty", Outcome::skipped, "no THP", at(1)}}));
  ASSERT_TRUE(*store.take_up_card(spool(), at(2)));
  leave(card_of(kBoot, {{"control", Outcome::pass, "", at(5)}}));
  ASSERT_TRUE(*store.take_up_card(spool(), at(6)));
  const std::vector<probes::CardProbe> expected{{"control", Outcome::pass, "", at(5)},
                                                {"thp-dirty", Outcome::skipped, "no THP", at(1)}};
  EXPECT_EQ((*store.card(kBoot, at(7)))->probes, expected);
}

TEST_F(ProbeSpool, KeepsCardsOfFewBoots) {
  Store store = open();
  for (int boot = 1; boot <= kKeptBoots + 3; ++boot) {
    leave(card_of("boot-" + std::to_string(boot), {{"control", Outcome::pass, "", at(1)}}));
    ASSERT_TRUE(*store.take_up_card(spool(), at(boot)));
  }
  EXPECT_EQ(sql_text("SELECT count(*) FROM card"), std::to_string(kKeptBoots));
  EXPECT_EQ(sql_text("SELECT count(*) FROM probe"), std::to_string(kKeptBoots));
  EXPECT_FALSE(store.card("boot-3", at(99))->has_value());
  EXPECT_TRUE(store.card("boot-4", at(99))->has_value());
}

TEST_F(ProbeSpool, IsNotTrusted) {
  Store store = open();
  const auto refusal = [&] {
    const Result<bool> taken = store.take_up_card(spool(), at(1));
    return taken ? std::string{"taken"} : taken.error().message();
  };
  const auto holds = [](const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
  };
  EXPECT_TRUE(holds(refusal(), "No such file")) << refusal();
  write_whole_file(file(), "not JSON");
  EXPECT_TRUE(holds(refusal(), "card.json")) << refusal();
  write_whole_file(file(), std::string(kLargestCard, '['));
  EXPECT_TRUE(holds(refusal(), "parse error")) << refusal();
  write_whole_file(file(), std::string(kLargestCard + 1, ' '));
  EXPECT_TRUE(holds(refusal(), "too large")) << refusal();
  leave(card_of("", {}));
  EXPECT_TRUE(holds(refusal(), "names no boot")) << refusal();

  leave(card_of(kBoot, {}));
  std::filesystem::rename(file(), spool() + "/elsewhere");
  ASSERT_EQ(::symlink("elsewhere", file().c_str()), 0);
  EXPECT_TRUE(holds(refusal(), "symbolic links")) << refusal();
  std::filesystem::remove(file());
  ASSERT_EQ(::mkfifo(file().c_str(), 0600), 0);
  EXPECT_TRUE(holds(refusal(), "no regular file")) << refusal();
  std::filesystem::remove(file());
  std::filesystem::create_directory(file());
  EXPECT_TRUE(holds(refusal(), "no regular file")) << refusal();
  EXPECT_EQ(sql_text("SELECT count(*) FROM card"), "0");
  EXPECT_EQ(store.health().corruptions, 0U);
}

}  // namespace
}  // namespace smaps_audit::store
