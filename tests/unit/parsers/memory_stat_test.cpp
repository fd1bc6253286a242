// SPDX-License-Identifier: Apache-2.0
#include "parsers/memory_stat.h"

#include <gtest/gtest.h>

#include "samples.h"

namespace smaps_audit {
namespace {

using samples::problem_of;

TEST(MemoryStatParser, ReadsAnonOfVersion2) {
  const auto stat = parse_memory_stat("anon 67108864\nfile 4096\nanon_thp 2097152\n");
  ASSERT_TRUE(stat.ok()) << problem_of(stat);
  EXPECT_EQ(stat->anon, 67108864u);
}

TEST(MemoryStatParser, ReadsTotalRssOfVersion1) {
  const auto stat = parse_memory_stat("cache 0\nrss 4096\ntotal_cache 0\ntotal_rss 8192\n");
  ASSERT_TRUE(stat.ok()) << problem_of(stat);
  EXPECT_EQ(stat->anon, 8192u);
}

TEST(MemoryStatParser, TellsAbsentFromZero) {
  EXPECT_EQ(parse_memory_stat("anon 0\n")->anon, 0u);
  EXPECT_FALSE(parse_memory_stat("file 0\n")->anon.has_value());
}

TEST(MemoryStatParser, RejectsWhatIsNoNumber) {
  for (const char* const value : {"x", "-1", "1 ", " 1", "18446744073709551616"}) {
    const auto stat = parse_memory_stat("anon " + std::string{value} + "\n");
    EXPECT_TRUE(problem_of(stat).starts_with("malformed:1: the value is not a number of 64 bits"))
        << value;
  }
}

TEST(MemoryStatParser, RejectsAValueThatStandsTwice) {
  EXPECT_TRUE(problem_of(parse_memory_stat("anon 1\nanon 1\n"))
                  .starts_with("malformed:2: the value stands twice"));
}

TEST(MemoryStatParser, RejectsALineOfOneWord) {
  for (const char* const text : {"anon\n", "\n", " 1\n"}) {
    EXPECT_TRUE(problem_of(parse_memory_stat(text))
                    .starts_with("malformed:1: the line is not a name and a number"))
        << text;
  }
}

TEST(MemoryStatParser, RejectsATextThatIsCut) {
  EXPECT_TRUE(problem_of(parse_memory_stat("")).starts_with("truncated"));
  EXPECT_TRUE(problem_of(parse_memory_stat("anon 1")).starts_with("truncated"));
}

}  // namespace
}  // namespace smaps_audit
