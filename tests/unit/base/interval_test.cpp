// SPDX-License-Identifier: Apache-2.0
#include "base/interval.h"

#include <gtest/gtest.h>

namespace smaps_audit {
namespace {

TEST(Interval, ContainsBothItsEnds) {
  const Interval interval{10, 20};
  EXPECT_EQ(interval.width(), 10u);
  EXPECT_TRUE(interval.contains(10));
  EXPECT_TRUE(interval.contains(20));
  EXPECT_FALSE(interval.contains(9));
  EXPECT_FALSE(interval.contains(21));
}

TEST(Interval, WidensByTheSlackOnBothSides) {
  EXPECT_EQ((Interval{10, 20}.widened(3, 100)), (Interval{7, 23}));
  EXPECT_EQ((Interval{10, 20}.widened(0, 100)), (Interval{10, 20}));
}

TEST(Interval, WidensNeitherBelowZeroNorAboveTheCap) {
  EXPECT_EQ((Interval{10, 20}.widened(10, 25)), (Interval{0, 25}));
  EXPECT_EQ((Interval{10, 20}.widened(11, 25)), (Interval{0, 25}));
}

TEST(Interval, StaysAnIntervalIfTheCapLiesBelowIt) {
  const Interval widened = Interval{10, 20}.widened(2, 5);
  EXPECT_LE(widened.low, widened.high);
}

TEST(Interval, WidensWithoutWrappingAround) {
  EXPECT_EQ((Interval{10, UINT64_MAX - 1}.widened(5, UINT64_MAX)), (Interval{5, UINT64_MAX}));
  EXPECT_EQ((Interval{10, 20}.widened(UINT64_MAX, 25)), (Interval{0, 25}));
}

TEST(Interval, AddsUpEndByEnd) {
  Interval sum{1, 2};
  sum += Interval{10, 20};
  EXPECT_EQ(sum, (Interval{11, 22}));
}

}  // namespace
}  // namespace smaps_audit
