// SPDX-License-Identifier: Apache-2.0
#include "parsers/proc_stat.h"

#include <gtest/gtest.h>

#include "samples.h"

namespace smaps_audit {
namespace {

using samples::kKernelThreadStat;
using samples::kStat;
using samples::problem_of;
using samples::problem_without_excerpt;
using samples::with;

ProcStat must_parse(std::string_view text) {
  const auto stat = parse_proc_stat(text);
  EXPECT_TRUE(stat.ok()) << problem_of(stat);
  return stat ? *stat : ProcStat{};
}

TEST(ProcStatParser, ReadsEveryField) {
  const ProcStat stat = must_parse(kStat);
  EXPECT_EQ(stat.pid, 5132u);
  EXPECT_EQ(stat.comm, "cat");
  EXPECT_EQ(stat.state, 'R');
  EXPECT_EQ(stat.parent_pid, 5129);
  EXPECT_EQ(stat.flags, 4194304u);
  EXPECT_EQ(stat.minor_faults, 100u);
  EXPECT_EQ(stat.major_faults, 3u);
  EXPECT_EQ(stat.faults(), 103u);
  EXPECT_EQ(stat.num_threads, 1u);
  EXPECT_EQ(stat.start_time_ticks, 106566u);
  EXPECT_EQ(stat.start_code, 94648835096576u);
  EXPECT_EQ(stat.start_stack, 140732916264448u);
  EXPECT_FALSE(stat.is_kernel_thread());
}

TEST(ProcStatParser, KnowsAKernelThread) {
  const ProcStat stat = must_parse(kKernelThreadStat);
  EXPECT_EQ(stat.comm, "kthreadd");
  EXPECT_TRUE(stat.is_kernel_thread());
  EXPECT_EQ(stat.start_code, 0u);
}

TEST(ProcStatParser, KeepsANameThatLooksLikeFields) {
  for (const std::string_view comm :
       {std::string_view{") R 1 2 3 ("}, std::string_view{"a) ("},
        std::string_view{"x\n1 (y) S 1\n"}, std::string_view{" ("}, std::string_view{""},
        std::string_view{"))))"}, std::string_view{"\xff\x01\0z", 4}}) {
    const std::string text = with(kStat, "cat", comm);
    const ProcStat stat = must_parse(text);
    EXPECT_EQ(stat.comm, comm);
    EXPECT_EQ(stat.pid, 5132u);
    EXPECT_EQ(stat.start_time_ticks, 106566u);
  }
}

TEST(ProcStatParser, AcceptsExactlyTheFieldsItNeeds) {
  const std::string text{kStat.substr(0, kStat.find(" 140732916264448 ") + 16)};
  EXPECT_EQ(must_parse(text + "\n").start_stack, 140732916264448u);
}

TEST(ProcStatParser, RejectsATextWithoutName) {
  for (const char* const text :
       {"\n", "5132 cat R\n", "5132 (cat R 1\n", "5132 cat) R 1\n", ") 5132 (cat R\n"}) {
    EXPECT_EQ(problem_without_excerpt(parse_proc_stat(text)),
              "malformed:1: stat has no name in parentheses")
        << text;
  }
}

TEST(ProcStatParser, RejectsAPidThatIsNone) {
  for (const char* const pid : {"x", "", "-1", " 5"}) {
    EXPECT_EQ(problem_without_excerpt(parse_proc_stat(with(kStat, "5132", pid))),
              "malformed:1: stat does not start with a pid");
  }
}

TEST(ProcStatParser, RejectsANameWithoutABlankBehindIt) {
  EXPECT_EQ(problem_without_excerpt(parse_proc_stat(with(kStat, ") R", ")R"))),
            "malformed:1: no blank follows the name in stat");
}

TEST(ProcStatParser, RejectsAStateThatIsNoLetter) {
  for (const char* const state : {"1", "RS", "?"}) {
    EXPECT_EQ(problem_of(parse_proc_stat(with(kStat, " R ", " " + std::string{state} + " "))),
              "malformed:1: field 3 of stat is not what the kernel writes there: \"" +
                  std::string{state} + "\"");
  }
}

TEST(ProcStatParser, RejectsFieldsThatAreNoNumbers) {
  struct Case {
    const char* from;
    const char* to;
    int field;
    const char* excerpt;
  };
  const Case cases[] = {
      {"R 5129 ", "R x ", 4, "x"},
      {" 4194304 ", " -4194304 ", 9, "-4194304"},
      {" 100 7 3 ", " 1e2 7 3 ", 10, "1e2"},
      {" 100 7 3 ", " 100 seven 3 ", 11, "seven"},
      {" 100 7 3 ", " 100 7  3 ", 12, ""},
      {" 20 0 1 0 ", " 20 0 one 0 ", 20, "one"},
      {" 106566 ", " 18446744073709551616 ", 22, "18446744073709551616"},
      {" 94648835096576 ", " 0x1 ", 26, "0x1"},
      {" 140732916264448 ", " - ", 28, "-"},
  };
  for (const Case& each : cases) {
    EXPECT_EQ(problem_of(parse_proc_stat(with(kStat, each.from, each.to))),
              "malformed:1: field " + std::to_string(each.field) +
                  " of stat is not what the kernel writes there: \"" + each.excerpt + "\"");
  }
}

TEST(ProcStatParser, RejectsTooFewFields) {
  for (const char* const text : {"1 (a)\n", "1 (a) \n", "1 (a) R\n", "1 (a) R 1 2 3\n"}) {
    EXPECT_EQ(problem_without_excerpt(parse_proc_stat(text)),
              "truncated:1: stat has fewer than 28 fields")
        << text;
  }
}

TEST(ProcStatParser, RejectsATextWithoutItsLastByte) {
  EXPECT_EQ(problem_without_excerpt(parse_proc_stat(kStat.substr(0, kStat.size() - 1))),
            "truncated:1: the text ends within a line");
  EXPECT_EQ(problem_of(parse_proc_stat("")), "truncated:1: the text is empty: \"\"");
}

}  // namespace
}  // namespace smaps_audit
