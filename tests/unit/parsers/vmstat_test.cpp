// SPDX-License-Identifier: Apache-2.0
#include "parsers/vmstat.h"

#include <gtest/gtest.h>

#include "samples.h"

namespace smaps_audit {
namespace {

using samples::kVmstat;
using samples::problem_of;
using samples::with;

TEST(VmstatParser, ReadsEveryCounter) {
  const auto vmstat = parse_vmstat(kVmstat);
  ASSERT_TRUE(vmstat.ok()) << problem_of(vmstat);
  EXPECT_EQ(vmstat->numa_pte_updates, 21u);
  EXPECT_EQ(vmstat->numa_hint_faults, 22u);
  EXPECT_EQ(vmstat->thp_fault_alloc, 23u);
  EXPECT_EQ(vmstat->thp_collapse_alloc, 24u);
  EXPECT_EQ(vmstat->thp_collapse_alloc_failed, 25u);
  EXPECT_EQ(vmstat->thp_file_mapped, 26u);
}

TEST(VmstatParser, TellsAbsentFromZero) {
  const auto vmstat = parse_vmstat("numa_pte_updates 0\n");
  ASSERT_TRUE(vmstat.ok());
  EXPECT_EQ(vmstat->numa_pte_updates, 0u);
  EXPECT_FALSE(vmstat->thp_fault_alloc.has_value());
}

TEST(VmstatParser, RejectsACounterThatIsNoNumber) {
  for (const char* const value : {"x", "-1", "23 ", " 23", "18446744073709551616"}) {
    EXPECT_EQ(problem_of(parse_vmstat(with(kVmstat, "alloc 23", "alloc " + std::string{value}))),
              "malformed:7: the counter is not a number of 64 bits: \"thp_fault_alloc " +
                  std::string{value} + "\"");
  }
}

TEST(VmstatParser, RejectsACounterThatStandsTwice) {
  EXPECT_EQ(problem_of(parse_vmstat(std::string{kVmstat} + "numa_hint_faults 22\n")),
            "malformed:14: the counter stands twice: \"numa_hint_faults 22\"");
}

TEST(VmstatParser, RejectsALineThatIsNoPair) {
  for (const char* const line : {"", "nr_free_pages", "nr_free_pages ", " 5"}) {
    EXPECT_EQ(problem_of(parse_vmstat(std::string{kVmstat} + line + "\n")),
              "malformed:14: the line is not a name and a number: \"" + std::string{line} + "\"");
  }
}

TEST(VmstatParser, RejectsATextThatIsCut) {
  EXPECT_EQ(problem_of(parse_vmstat("numa_hit 1\nthp_fault_alloc 2")),
            "truncated:2: the text ends within a line: \"thp_fault_alloc 2\"");
  EXPECT_EQ(problem_of(parse_vmstat("")), "truncated:1: the text is empty: \"\"");
}

}  // namespace
}  // namespace smaps_audit
