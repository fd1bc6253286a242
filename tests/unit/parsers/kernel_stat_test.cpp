// SPDX-License-Identifier: Apache-2.0
#include "parsers/kernel_stat.h"

#include <gtest/gtest.h>

#include "samples.h"

namespace smaps_audit {
namespace {

using samples::problem_of;

TEST(KernelStatParser, ReadsHowManyTasksWereMade) {
  const auto stat = parse_kernel_stat(
      "cpu  1 2 3\ncpu0 1 2 3\nintr 7 0 0\nctxt 9\nbtime 1\nprocesses 4711\nprocs_running 2\n");
  ASSERT_TRUE(stat.ok()) << problem_of(stat);
  EXPECT_EQ(stat->forks, 4711u);
}

TEST(KernelStatParser, TellsAbsentFromZero) {
  EXPECT_EQ(parse_kernel_stat("processes 0\n")->forks, 0u);
  EXPECT_FALSE(parse_kernel_stat("ctxt 1\n")->forks.has_value());
}

TEST(KernelStatParser, RejectsWhatIsNoNumber) {
  for (const char* const value : {"", "x", "-1", "1 ", "18446744073709551616"}) {
    const std::string line = "processes " + std::string{value};
    EXPECT_EQ(problem_of(parse_kernel_stat("ctxt 1\n" + line + "\n")),
              "malformed:2: the value is not a number of 64 bits: \"" + line + "\"");
  }
}

TEST(KernelStatParser, RejectsASecondValueAndATextThatIsCut) {
  EXPECT_EQ(problem_of(parse_kernel_stat("processes 1\nprocesses 1\n")),
            "malformed:2: the value stands twice: \"processes 1\"");
  EXPECT_EQ(parse_kernel_stat("processes 12").error().code, ErrorCode::truncated);
  EXPECT_EQ(parse_kernel_stat("").error().code, ErrorCode::truncated);
}

}  // namespace
}  // namespace smaps_audit
