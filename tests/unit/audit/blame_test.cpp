// SPDX-License-Identifier: Apache-2.0
// Who is wrong, for each combination of what four witnesses say of a VMA of 4 huge pages.
#include "audit/blame.h"

#include <gtest/gtest.h>

#include "tests/unit/audit/evidence.h"

namespace smaps_audit {
namespace {

using namespace evidence;  // NOLINT(google-build-using-namespace)

constexpr Range kVma{4 * kHuge, 8 * kHuge};
constexpr std::uint64_t kAll = 2048;
constexpr std::uint64_t kLess = 1536;

/// Pages that each witness tells; nullopt: it is not there to be asked.
struct Witnesses {
  std::uint64_t smaps = kAll;
  std::uint64_t walk = kAll;
  std::optional<std::uint64_t> plain = {};
  std::optional<std::uint64_t> numa = {};
  bool accessible = true;
};

VmaWatch watch_of(const Witnesses& said, unsigned steps = 24) {
  VmaWatch watch{kVma, VmaTraits{.accessible = said.accessible, .anonymous_private = true}, false};
  const PagePass walk = pass_of({kVma}, {pages_in(kVma, 0, said.walk)});
  const PagePass plain = pass_of({kVma}, {pages_in(kVma, 0, said.plain.value_or(0))});
  const auto pass = [&] { watch.on_pass(walk, said.plain ? &plain : nullptr, kPages); };
  pass();
  for (unsigned step = 0; step < steps; ++step) {
    watch.on_record(record_of(kVma, said.smaps * kPage, "[heap]"), kPages);
    if (said.numa) {
      NumaMapsRecord record;
      record.start = kVma.first;
      record.total_pages = *said.numa;
      record.anon_pages = *said.numa;
      watch.on_numa(record, kPages);
    }
    pass();
    watch.end_step();
  }
  return watch;
}

std::optional<Blame> blamed(const Witnesses& said, bool asleep = false, bool numa_settled = true) {
  return blame(watch_of(said), asleep, numa_settled, kPages);
}

TEST(Blame, NobodyWhereAllAgree) {
  EXPECT_FALSE(blamed({}));
  EXPECT_FALSE(blamed({.plain = kAll, .numa = kAll}));
}

TEST(Blame, SmapsIfWalkAndNumaMapsAgreeAgainstIt) {
  const auto found = blamed({.smaps = kLess, .numa = kAll});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->interface, Interface::smaps);
  EXPECT_FALSE(found->against);
  EXPECT_EQ(found->direction, Direction::deficit);
  EXPECT_EQ(found->check, "I7");
  EXPECT_EQ(found->field, "Rss");
  EXPECT_EQ(found->reported, kLess * kPage);
  EXPECT_EQ(found->expected, (Interval{kAll * kPage, kAll * kPage}));
  EXPECT_EQ(found->error, kHuge);
  EXPECT_TRUE(found->exact);
}

TEST(Blame, SmapsIfBothWalksAgreeAgainstIt) {
  const auto found = blamed({.smaps = kLess, .plain = kAll});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->interface, Interface::smaps);
  EXPECT_FALSE(found->against);
}

TEST(Blame, NobodyAloneWhereOnlyTwoWitnessesAreThere) {
  const auto found = blamed({.smaps = kLess});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->interface, Interface::smaps);
  EXPECT_EQ(found->against, Interface::pagemap);
  EXPECT_FALSE(found->defect);
}

TEST(Blame, PagemapIfSmapsAndNumaMapsAgreeAgainstIt) {
  const auto found = blamed({.walk = kLess, .numa = kAll});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->interface, Interface::pagemap);
  EXPECT_FALSE(found->against);
  EXPECT_EQ(found->direction, Direction::deficit);
  EXPECT_EQ(found->field, "PRESENT");
  EXPECT_EQ(found->reported, kLess * kPage);
  EXPECT_EQ(found->error, kHuge);
}

TEST(Blame, ThePlainReadsIfTheScanAgreesWithTheOthers) {
  const auto found = blamed({.plain = kLess, .numa = kAll});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->interface, Interface::pagemap);
  EXPECT_FALSE(found->against);
  EXPECT_EQ(found->check, "I12");
  EXPECT_EQ(found->direction, Direction::deficit);
  EXPECT_EQ(found->reported, kLess * kPage);
}

TEST(Blame, TheScanIfThePlainReadsAgreeWithTheOthers) {
  const auto found = blamed({.walk = kLess, .plain = kAll, .numa = kAll});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->interface, Interface::pagemap_scan);
  EXPECT_FALSE(found->against);
  EXPECT_EQ(found->check, "I12");
  EXPECT_EQ(found->direction, Direction::deficit);
  EXPECT_EQ(found->reported, kLess * kPage);
  EXPECT_EQ(found->error, kHuge);
}

TEST(Blame, NumaMapsIfSmapsAndTheWalkAgreeAgainstIt) {
  const auto found = blamed({.numa = kLess});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->interface, Interface::numa_maps);
  EXPECT_FALSE(found->against);
  EXPECT_EQ(found->check, "I6");
  EXPECT_EQ(found->field, "N*");
  EXPECT_EQ(found->direction, Direction::deficit);
  EXPECT_EQ(found->error, kHuge);
}

TEST(Blame, NumaMapsNeverBeforeItWasReadOftenEnough) {
  EXPECT_FALSE(blamed({.numa = kLess}, true, false));
  EXPECT_FALSE(blamed({.plain = kAll, .numa = kLess}, true, false));
}

TEST(Blame, AnExcessIsAnExcess) {
  const auto found = blamed({.smaps = kAll, .walk = kLess, .plain = kLess, .numa = kLess});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->interface, Interface::smaps);
  EXPECT_EQ(found->direction, Direction::excess);
  EXPECT_EQ(found->reported, kAll * kPage);
  EXPECT_EQ(found->error, kHuge);
  EXPECT_FALSE(found->defect);
}

TEST(Blame, NumaMapsInExcessIsNumaMaps) {
  const auto found = blamed({.smaps = kLess, .walk = kLess, .plain = kLess, .numa = kAll});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->interface, Interface::numa_maps);
  EXPECT_EQ(found->direction, Direction::excess);
}

TEST(Blame, APairWhereTwoAgreeAgainstTwo) {
  const auto found = blamed({.smaps = kLess, .plain = kAll, .numa = kLess});
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->against);
  EXPECT_FALSE(found->defect);
}

TEST(Blame, APairWhereEveryWitnessTellsAnotherNumber) {
  const auto found = blamed({.smaps = 512, .walk = 1024, .plain = kAll, .numa = kLess});
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->against);
}

TEST(Blame, NamesTheDefectByItsSignature) {
  const auto found = blamed({.smaps = kLess, .numa = kAll});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->defect, "K01");
  EXPECT_EQ(found->cause, Cause::numa_hint);
  EXPECT_EQ(blamed({.smaps = kLess, .numa = kAll, .accessible = false})->cause, Cause::mprotect);
}

TEST(Blame, NamesNoDefectIfTheErrorIsNoMultipleOfAHugePage) {
  for (const std::uint64_t pages : {kAll - 1, kAll - 511, kAll - 513}) {
    const auto found = blamed({.smaps = pages, .numa = kAll});
    ASSERT_TRUE(found);
    EXPECT_EQ(found->interface, Interface::smaps);
    EXPECT_FALSE(found->defect) << pages;
  }
}

TEST(Blame, NamesNoDefectIfTheVmaHoldsTooFewHugePages) {
  // 512 pages are missing, but no aligned block is wholly there.
  VmaWatch watch{kVma, VmaTraits{.anonymous_private = true}, false};
  const PagePass pass = pass_of({kVma}, {pages_in(kVma, 1, 512), pages_in(kVma, 513, 1024)});
  watch.on_pass(pass, nullptr, kPages);
  for (int step = 0; step < 24; ++step) {
    watch.on_record(record_of(kVma, (1022 - 512) * kPage), kPages);
    NumaMapsRecord numa;
    numa.start = kVma.first;
    numa.total_pages = 1022;
    numa.anon_pages = 1022;
    watch.on_numa(numa, kPages);
    watch.on_pass(pass, nullptr, kPages);
    watch.end_step();
  }
  const auto found = blame(watch, false, true, kPages);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->error, kHuge);
  EXPECT_FALSE(found->defect);
}

TEST(Blame, NamesNoDefectWithoutNumaMaps) {
  const auto found = blamed({.smaps = kLess, .plain = kAll});
  ASSERT_TRUE(found);
  EXPECT_FALSE(found->defect);
}

TEST(Blame, SaysNothingOfARecordThatBreaksAnIdentity) {
  VmaWatch watch{kVma, VmaTraits{.anonymous_private = true}, false};
  const PagePass pass = pass_of({kVma}, {pages_in(kVma, 0, kAll)});
  SmapsRecord record = record_of(kVma, kAll * kPage);
  record.values.set(SmapsField::pss, (kAll + 5) * kPage);
  watch.on_pass(pass, nullptr, kPages);
  for (int step = 0; step < 3; ++step) {
    watch.on_record(record, kPages);
    watch.on_pass(pass, nullptr, kPages);
    watch.end_step();
  }
  EXPECT_TRUE(watch.contradictions(kPages).identity);
  EXPECT_FALSE(blame(watch, true, false, kPages));
}

TEST(Blame, SmapsAgainstNumaMapsAloneSpeaksOnlyForASleeper) {
  // Without PFNs: the walk can't tell, and says between nothing and everything.
  VmaWatch watch{kVma, VmaTraits{.anonymous_private = true}, false};
  const PagePass pass = pass_of({kVma}, {pages_in(kVma, 0, kAll, page_state::kPresent)});
  watch.on_pass(pass, nullptr, kPages);
  for (int step = 0; step < 24; ++step) {
    watch.on_record(record_of(kVma, kLess * kPage), kPages);
    NumaMapsRecord numa;
    numa.start = kVma.first;
    numa.total_pages = kAll;
    numa.anon_pages = kAll;
    watch.on_numa(numa, kPages);
    watch.on_pass(pass, nullptr, kPages);
    watch.end_step();
  }
  EXPECT_FALSE(blame(watch, false, true, kPages));
  const auto found = blame(watch, true, true, kPages);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->interface, Interface::smaps);
  EXPECT_EQ(found->against, Interface::numa_maps);
  EXPECT_EQ(found->check, "I6");
  EXPECT_EQ(found->error, kHuge);
}

/// Every combination of what the witnesses say: who agrees with the majority is never accused
/// alone.
TEST(Blame, AccusesAloneOnlyWhomAllOthersContradict) {
  constexpr std::array<std::optional<std::uint64_t>, 3> kTold = {kLess, kAll, std::nullopt};
  for (const std::uint64_t smaps : {kLess, kAll}) {
    for (const std::uint64_t walk : {kLess, kAll}) {
      for (const auto plain : kTold) {
        for (const auto numa : kTold) {
          const auto found =
              blamed({.smaps = smaps, .walk = walk, .plain = plain, .numa = numa}, true);
          const std::vector<std::uint64_t> said = [&] {
            std::vector<std::uint64_t> all = {smaps, walk};
            if (plain) all.push_back(*plain);
            if (numa) all.push_back(*numa);
            return all;
          }();
          const auto less = std::count(said.begin(), said.end(), kLess);
          const auto more = static_cast<std::ptrdiff_t>(said.size()) - less;
          EXPECT_EQ(found.has_value(), less != 0 && more != 0);
          if (!found) continue;
          const bool alone = (less == 1) != (more == 1) && said.size() > 2;
          EXPECT_EQ(!found->against, alone)
              << smaps << ' ' << walk << ' ' << plain.value_or(0) << ' ' << numa.value_or(0);
          EXPECT_EQ(found->error, kHuge);
          if (!alone) continue;
          const Direction direction = less == 1 ? Direction::deficit : Direction::excess;
          EXPECT_EQ(found->direction, direction);
        }
      }
    }
  }
}

}  // namespace
}  // namespace smaps_audit
