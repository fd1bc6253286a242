// SPDX-License-Identifier: Apache-2.0
#include "base/range_set.h"

#include <gtest/gtest.h>

#include <bitset>
#include <random>

namespace smaps_audit {
namespace {

constexpr std::size_t kUniverse = 48;
using Bits = std::bitset<kUniverse>;

RangeSet set_of(const Bits& bits) {
  RangeSet set;
  for (std::uint64_t i = 0; i < kUniverse; ++i) {
    if (bits.test(i)) set.append({i, i + 1});
  }
  return set;
}

TEST(RangeSet, JoinsRangesThatTouch) {
  RangeSet set;
  set.append({1, 3});
  set.append({3, 5});
  set.append({6, 7});
  set.append({7, 7});
  EXPECT_EQ(set.ranges(), (std::vector<Range>{{1, 5}, {6, 7}}));
  EXPECT_EQ(set.count(), 5u);
  EXPECT_FALSE(set.empty());
}

TEST(RangeSet, IsEmptyAfterClear) {
  RangeSet set;
  EXPECT_TRUE(set.empty());
  set.append({1, 2});
  set.clear();
  EXPECT_TRUE(set.empty());
  EXPECT_EQ(set.count(), 0u);
}

TEST(RangeSet, ContainsARangeOnlyWhole) {
  RangeSet set;
  set.append({10, 20});
  set.append({21, 30});
  EXPECT_TRUE(set.contains({10, 20}));
  EXPECT_TRUE(set.contains({12, 13}));
  EXPECT_FALSE(set.contains({9, 11}));
  EXPECT_FALSE(set.contains({19, 21}));
  EXPECT_FALSE(set.contains({19, 22}));
  EXPECT_FALSE(set.contains({30, 31}));
  EXPECT_FALSE(RangeSet{}.contains({0, 1}));
}

TEST(RangeSet, AgreesWithBitsetsOnRandomSets) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 2000; ++round) {
    const Bits a(random() & random());
    const Bits b(random() | (round % 2 == 0 ? random() : 0));
    const RangeSet left = set_of(a);
    const RangeSet right = set_of(b);
    ASSERT_EQ(left.count(), a.count());
    ASSERT_EQ(intersection(left, right).ranges(), set_of(a & b).ranges()) << a << " " << b;
    ASSERT_EQ(union_of(left, right).ranges(), set_of(a | b).ranges()) << a << " " << b;
    ASSERT_EQ(difference(left, right).ranges(), set_of(a & ~b).ranges()) << a << " " << b;
    ASSERT_EQ(difference(right, left).ranges(), set_of(b & ~a).ranges()) << a << " " << b;
  }
}

}  // namespace
}  // namespace smaps_audit
