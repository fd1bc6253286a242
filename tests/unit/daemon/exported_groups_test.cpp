// SPDX-License-Identifier: Apache-2.0
#include "daemon/exported_groups.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace smaps_audit::service {
namespace {

using Names = std::vector<std::string>;
using std::chrono::hours;

constexpr hours kNow{1000};

TEST(ExportedGroups, AreTheConfiguredThenThoseWithAFindingThenTheLargest) {
  const std::vector<GroupWeight> groups{{.name = "large", .rss_bytes = 900},
                                        {.name = "found", .has_finding = true, .rss_bytes = 1},
                                        {.name = "named", .configured = true},
                                        {.name = "small", .rss_bytes = 100}};
  EXPECT_EQ(ExportedGroups{}.choose(groups, 1, kNow), Names{"named"});
  EXPECT_EQ(ExportedGroups{}.choose(groups, 2, kNow), (Names{"found", "named"}));
  EXPECT_EQ(ExportedGroups{}.choose(groups, 3, kNow), (Names{"found", "large", "named"}));
  EXPECT_EQ(ExportedGroups{}.choose(groups, 9, kNow), (Names{"found", "large", "named", "small"}));
  EXPECT_EQ(ExportedGroups{}.choose({}, 9, kNow), Names{});
}

TEST(ExportedGroups, AreTheSameInWhateverOrderTheyComeAndAgain) {
  std::vector<GroupWeight> groups;
  for (const char* const name : {"a", "b", "c", "d", "e"}) {
    groups.push_back({.name = name, .rss_bytes = 7});
  }
  ExportedGroups forth;
  ExportedGroups back;
  const Names names = forth.choose(groups, 3, kNow);
  EXPECT_EQ(names, (Names{"a", "b", "c"}));
  EXPECT_EQ(forth.choose(groups, 3, kNow), names);
  std::reverse(groups.begin(), groups.end());
  EXPECT_EQ(back.choose(groups, 3, kNow), names);
}

TEST(ExportedGroups, AreKeptForADay) {
  ExportedGroups exported;
  const std::vector<GroupWeight> first{{.name = "a", .rss_bytes = 9},
                                       {.name = "b", .rss_bytes = 1}};
  const std::vector<GroupWeight> later{{.name = "a", .rss_bytes = 1},
                                       {.name = "b", .rss_bytes = 9}};
  EXPECT_EQ(exported.choose(first, 1, kNow), Names{"a"});
  EXPECT_EQ(exported.choose(later, 1, kNow + hours(23)), Names{"a"});
  EXPECT_EQ(exported.choose(later, 1, kNow + hours(24)), Names{"b"});
  EXPECT_EQ(exported.choose(first, 1, kNow + hours(25)), Names{"b"});
}

TEST(ExportedGroups, WhoIsGoneComesBackWithinTheDay) {
  ExportedGroups exported;
  const GroupWeight a{.name = "a", .rss_bytes = 9};
  const GroupWeight b{.name = "b", .rss_bytes = 10};
  EXPECT_EQ(exported.choose({a}, 1, kNow), Names{"a"});
  EXPECT_EQ(exported.choose({}, 1, kNow + hours(1)), Names{});
  EXPECT_EQ(exported.choose({a, b}, 1, kNow + hours(2)), Names{"a"});
}

TEST(ExportedGroups, AFindingTakesThePlaceOfTheSmallestThatIsKept) {
  ExportedGroups exported;
  const GroupWeight a{.name = "a", .rss_bytes = 9};
  const GroupWeight b{.name = "b", .rss_bytes = 8};
  const GroupWeight found{.name = "f", .has_finding = true, .rss_bytes = 1};
  EXPECT_EQ(exported.choose({a, b}, 2, kNow), (Names{"a", "b"}));
  EXPECT_EQ(exported.choose({a, b, found}, 2, kNow + hours(1)), (Names{"a", "f"}));
  const GroupWeight healed{.name = "f", .rss_bytes = 1};
  EXPECT_EQ(exported.choose({a, b, healed}, 3, kNow + hours(2)), (Names{"a", "b", "f"}));
}

TEST(ExportedGroups, AClockThatWasSetBackKeepsNobodyForLonger) {
  ExportedGroups exported;
  const std::vector<GroupWeight> first{{.name = "a", .rss_bytes = 9},
                                       {.name = "b", .rss_bytes = 1}};
  const std::vector<GroupWeight> later{{.name = "a", .rss_bytes = 1},
                                       {.name = "b", .rss_bytes = 9}};
  EXPECT_EQ(exported.choose(first, 1, kNow), Names{"a"});
  EXPECT_EQ(exported.choose(later, 1, hours(10)), Names{"a"});
  EXPECT_EQ(exported.choose(later, 1, hours(34)), Names{"b"});
}

}  // namespace
}  // namespace smaps_audit::service
