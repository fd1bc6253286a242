// SPDX-License-Identifier: Apache-2.0
#include "probes/child_message.h"

#include <gtest/gtest.h>

namespace smaps_audit::probes {
namespace {

TEST(ChildMessage, SurvivesTheWayThroughThePipe) {
  const std::vector<ChildMessage> messages{
      RegionTruth{.name = "huge",
                  .role = Role::positive,
                  .range = {0x7f0000, 0x7f2000},
                  .resident_bytes = 4096},
      Fact{"faults", -3},
      ForgetRegions{},
      Hold{"prot-none"},
      End{},
      End{Outcome::skipped, "no transparent huge pages to be had"},
      End{Outcome::inconclusive, "kernel.numa_balancing is 0"}};
  for (const ChildMessage& message : messages) {
    std::string line = to_line(message);
    ASSERT_TRUE(line.ends_with('\n'));
    line.pop_back();
    const auto parsed = parse_child_message(line);
    ASSERT_TRUE(parsed.ok()) << line;
    EXPECT_EQ(*parsed, message) << line;
  }
}

TEST(ChildMessage, KeepsALineALine) {
  EXPECT_EQ(to_line(End{Outcome::skipped, "two\nlines"}), "skipped two lines\n");
}

TEST(ChildMessage, RefusesWhatNoChildWrites) {
  for (const char* const line :
       {"", "hello", "region a subject 2000 1000 0", "region a subject 1000 1000 0",
        "region a subject 1000 2000 8192", "region a other 1000 2000 0",
        "region a subject 1000 2000", "region a subject 1000 2000 -1", "fact a", "fact a b", "hold",
        "hold a b", "skipped", "done now", "pass it"}) {
    const auto parsed = parse_child_message(line);
    ASSERT_FALSE(parsed.ok()) << line;
    EXPECT_EQ(parsed.error().code, ErrorCode::malformed);
  }
}

}  // namespace
}  // namespace smaps_audit::probes
