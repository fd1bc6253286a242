// SPDX-License-Identifier: Apache-2.0
#include "audit/totals_watch.h"

#include <gtest/gtest.h>

#include "tests/unit/audit/evidence.h"

namespace smaps_audit {
namespace {

using namespace evidence;  // NOLINT(google-build-using-namespace)

constexpr Range kVma{kHuge, 9 * kHuge};
constexpr std::uint64_t kRss = 4 * kHuge;

struct Step {
  std::uint64_t smaps = kRss;
  std::optional<std::uint64_t> rollup = kRss;
  std::uint64_t vm_rss = kRss;
};

void feed(TotalsWatch& watch, const Step& step) {
  SmapsSums sums;
  const SmapsRecord record = record_of(kVma, step.smaps);
  sums.add(record, traits_of(record));
  if (step.rollup) watch.on_rollup(rollup_of(*step.rollup));
  watch.on_smaps(sums);
  StatusNumbers status;
  status.vm_rss = step.vm_rss;
  status.rss_anon = step.vm_rss;
  status.rss_file = 0;
  status.rss_shmem = 0;
  status.vm_size = kVma.length();
  watch.on_status(status, {.size_pages = *status.vm_size / kPage,
                           .resident_pages = step.vm_rss / kPage,
                           .shared_pages = 0});
  watch.on_walk({kRss, kRss});
}

std::vector<Finding> after(const std::vector<Step>& steps, bool asleep = false,
                           CounterSlack slack = {}) {
  TotalsWatch watch{kPages};
  for (const Step& step : steps) feed(watch, step);
  EXPECT_EQ(watch.alive(asleep, slack),
            !watch.findings(asleep, {}, false, std::nullopt, slack).empty());
  return watch.findings(asleep, {}, false, std::nullopt, slack);
}

TEST(CounterSlack, IsNothingWhereCountersAreSummedOnRead) {
  KernelCapabilities capabilities;
  capabilities.rss_counters = RssCounterError::exact;
  EXPECT_EQ(rss_counter_slack(capabilities, 1000, kPages), 0u);
}

TEST(CounterSlack, IsTheWiderOfTheTwoBounds) {
  KernelCapabilities capabilities;
  EXPECT_EQ(rss_counter_slack(capabilities, 1, kPages), 66 * (1 + 2 * 17) * kPage);
  EXPECT_EQ(rss_counter_slack(capabilities, 2, kPages), 2 * 66 * (1 + 2 * 17) * kPage);
  capabilities.cpus = 256;
  EXPECT_EQ(rss_counter_slack(capabilities, 1, kPages), 3 * 256 * 511 * kPage);
}

TEST(TotalsWatch, IsSilentWhereAllAgree) {
  EXPECT_TRUE(after({Step{}, Step{}, Step{}}).empty());
  EXPECT_TRUE(after({Step{}, Step{}, Step{}}, true).empty());
}

TEST(TotalsWatch, IsSilentBeforeTheFirstRead) {
  const TotalsWatch watch{kPages};
  EXPECT_FALSE(watch.alive(true, {}));
}

TEST(TotalsWatch, FindsARollupThatIsAlwaysShort) {
  const auto found = after({24, Step{.rollup = kRss - kHuge}});
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].interface, Interface::smaps_rollup);
  EXPECT_EQ(found[0].check, "I3");
  EXPECT_EQ(found[0].direction, Direction::deficit);
  EXPECT_EQ(found[0].error_bytes, kHuge);
  EXPECT_TRUE(found[0].exact);
  EXPECT_FALSE(found[0].defect);  // the same number every time is no race
}

TEST(TotalsWatch, ARollupThatRepeatsSmapsIsExactOnlyBesideOneExpectedNumber) {
  Finding smaps;
  smaps.defect = "K01";
  for (const std::uint64_t width : {std::uint64_t{0}, 3 * kPage}) {
    TotalsWatch watch{kPages};
    for (int i = 0; i < 24; ++i) {
      feed(watch, {.smaps = kRss - kHuge, .rollup = kRss - kHuge});
      watch.on_walk({kRss - width, kRss});
    }
    const auto found = watch.findings(true, {kHuge, kHuge}, true, smaps, {});
    ASSERT_FALSE(found.empty());
    EXPECT_EQ(found[0].interface, Interface::smaps_rollup);
    EXPECT_EQ(found[0].defect, "K01");
    EXPECT_EQ(found[0].exact, width == 0);
    EXPECT_EQ(found[0].error_bytes, kHuge - width);
  }
}

TEST(TotalsWatch, KnowsARollupThatIsShortByAnotherAmountEachTime) {
  std::vector<Step> steps;
  for (std::uint64_t i = 0; i < 24; ++i) steps.push_back({.rollup = kRss - kHuge - i * kPage});
  const auto found = after(steps);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].defect, "K03");
  EXPECT_EQ(found[0].reported_bytes, kRss - kHuge - 23 * kPage);
  EXPECT_EQ(found[0].error_bytes, kHuge + 23 * kPage);
  EXPECT_FALSE(found[0].exact);
  const auto asleep = after(steps, true);
  ASSERT_EQ(asleep.size(), 1u);
  EXPECT_FALSE(asleep[0].defect);  // needs threads that run
}

TEST(TotalsWatch, FindsARollupThatIsRightNowAndThen) {
  std::vector<Step> steps;
  for (std::uint64_t i = 0; i < 48; ++i) {
    steps.push_back({.rollup = i % 3 == 1 ? kRss : kRss - kHuge - i * kPage});
  }
  const auto found = after(steps);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].defect, "K03");
}

TEST(TotalsWatch, OneRightRollupTakesTwiceTheReads) {
  TotalsWatch watch{kPages};
  for (int i = 0; i < 47; ++i) {
    feed(watch, {.rollup = i == 5 ? kRss : kRss - kHuge});
    EXPECT_EQ(watch.wants_more_rollups(), i >= 5);
    EXPECT_EQ(watch.findings(false, {}, false, std::nullopt, {}).empty(), i >= 5);
  }
  feed(watch, {.rollup = kRss - kHuge});
  EXPECT_FALSE(watch.wants_more_rollups());
  EXPECT_EQ(watch.findings(false, {}, false, std::nullopt, {}).size(), 1u);
}

TEST(TotalsWatch, LetsARollupGoThatIsRightTooOften) {
  std::vector<Step> steps;
  for (std::uint64_t i = 0; i < 48; ++i) {
    steps.push_back({.rollup = i % 2 == 1 || i == 0 ? kRss : kRss - kHuge - i * kPage});
  }
  EXPECT_TRUE(after(steps).empty());
  EXPECT_TRUE(after({Step{.rollup = kRss - kHuge}, Step{}, Step{}, Step{}, Step{}}).empty());
}

TEST(TotalsWatch, WaitsForARollupThatBeginsWithARightRead) {
  TotalsWatch watch{kPages};
  feed(watch, {});
  feed(watch, {});
  EXPECT_TRUE(watch.alive(false, {}));
  feed(watch, {});
  EXPECT_FALSE(watch.alive(false, {}));
}

TEST(TotalsWatch, ARollupInExcessIsAnExcess) {
  const auto found = after({24, Step{.rollup = kRss + kHuge}});
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].direction, Direction::excess);
  EXPECT_EQ(found[0].error_bytes, kHuge);
  EXPECT_FALSE(found[0].defect);
}

TEST(TotalsWatch, ARollupThatRepeatsSmapsCarriesItsDefect) {
  TotalsWatch watch{kPages};
  for (int i = 0; i < 24; ++i) {
    feed(watch, {.smaps = kRss - kHuge, .rollup = kRss - kHuge});
  }
  Finding smaps;
  smaps.interface = Interface::smaps;
  smaps.defect = "K01";
  smaps.cause = Cause::mprotect;
  smaps.vmas_total = 3;
  const auto found = watch.findings(true, {kHuge, kHuge}, true, smaps, {});
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].interface, Interface::smaps_rollup);
  EXPECT_EQ(found[0].defect, "K01");
  EXPECT_EQ(found[0].cause, Cause::mprotect);
  EXPECT_EQ(found[0].error_bytes, kHuge);
  EXPECT_EQ(found[0].vmas_total, 3u);
  EXPECT_TRUE(found[0].exact);
}

TEST(TotalsWatch, WhatTheRollupMissesBesideSmapsIsAFindingOfItsOwn) {
  TotalsWatch watch{kPages};
  for (std::uint64_t i = 0; i < 24; ++i) {
    feed(watch, {.smaps = kRss - kHuge, .rollup = kRss - 2 * kHuge - i * kPage});
  }
  Finding smaps;
  smaps.interface = Interface::smaps;
  smaps.defect = "K01";
  const auto found = watch.findings(false, {kHuge, kHuge}, true, smaps, {});
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].defect, "K01");
  EXPECT_EQ(found[0].error_bytes, kHuge);
  EXPECT_EQ(found[1].defect, "K03");
  EXPECT_EQ(found[1].error_bytes, kHuge + 23 * kPage);
}

TEST(TotalsWatch, LivesOnAFieldThatTheRollupHasOtherwise) {
  TotalsWatch watch{kPages};
  for (int i = 0; i < 3; ++i) {
    feed(watch, {.rollup = std::nullopt});
    SmapsRecord rollup = rollup_of(kRss);
    rollup.values.set(SmapsField::referenced, kRss - kPage);
    watch.on_rollup(rollup);
    EXPECT_TRUE(watch.alive(true, {}));
  }
  EXPECT_TRUE(watch.findings(true, {}, true, std::nullopt, {}).empty());
}

TEST(TotalsWatch, AsksNoFieldsWherePagesAreMissing) {
  TotalsWatch watch{kPages};
  for (int i = 0; i < 3; ++i) feed(watch, {.smaps = kRss - kHuge, .rollup = kRss - kHuge});
  watch.on_numa({.anon = kRss, .dirty = kRss});
  EXPECT_FALSE(watch.numa_contested({}));
}

TEST(TotalsWatch, WantsNumaMapsWhileItsFieldsAreDisputed) {
  TotalsWatch watch{kPages};
  feed(watch, {});
  watch.on_numa({.anon = kRss, .dirty = kRss});
  EXPECT_FALSE(watch.numa_contested({}));
  TotalsWatch other{kPages};
  feed(other, {});
  other.on_numa({.anon = kRss - kPage, .dirty = kRss});
  EXPECT_TRUE(other.numa_contested({}));
}

TEST(TotalsWatch, VmRssOfAnAwakeProcessMayHoldWhatIsBeingUnmapped) {
  EXPECT_TRUE(after({24, Step{.vm_rss = kRss + kHuge}}).empty());
  EXPECT_FALSE(after({24, Step{.vm_rss = kRss - kHuge}}).empty());
}

TEST(TotalsWatch, VmRssOutsideOfWhatTheWalkSawIsFound) {
  const auto found = after({24, Step{.vm_rss = kRss + kHuge}}, true);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].check, "I4");
  EXPECT_EQ(found[0].interface, Interface::status);
  EXPECT_EQ(found[0].field, "VmRSS");
  EXPECT_EQ(found[0].direction, Direction::excess);
  EXPECT_EQ(found[0].error_bytes, kHuge);
}

TEST(TotalsWatch, VmRssInsideTheCountersErrorIsNot) {
  EXPECT_TRUE(after({24, Step{.vm_rss = kRss + kHuge}}, false, {kHuge, kHuge}).empty());
  EXPECT_TRUE(after({24, Step{.vm_rss = kRss - kHuge}}, false, {kHuge, kHuge}).empty());
  EXPECT_FALSE(after({24, Step{.vm_rss = kRss - kHuge - kPage}}, false, {kHuge, kHuge}).empty());
}

TEST(TotalsWatch, TooMuchIsJudgedByABoundOfItsOwn) {
  const CounterSlack only_lacks{.bytes = kHuge, .anon_excess = 0};
  EXPECT_EQ(after({24, Step{.vm_rss = kRss + kPage}}, true, only_lacks).size(), 1u);
  EXPECT_TRUE(after({24, Step{.vm_rss = kRss - kHuge}}, false, only_lacks).empty());
  const CounterSlack anything{.bytes = 0, .anon_excess = UINT64_MAX};
  EXPECT_TRUE(after({24, Step{.vm_rss = 100 * kRss}}, true, anything).empty());
  EXPECT_FALSE(after({24, Step{.vm_rss = kRss - kPage}}, false, anything).empty());
}

}  // namespace
}  // namespace smaps_audit
