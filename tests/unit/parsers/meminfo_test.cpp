// SPDX-License-Identifier: Apache-2.0
#include "parsers/meminfo.h"

#include <gtest/gtest.h>

#include "samples.h"

namespace smaps_audit {
namespace {

using samples::problem_of;
using samples::with;

constexpr std::string_view kMeminfo =
    "MemTotal:       16384000 kB\n"
    "Active(anon):     123456 kB\n"
    "AnonPages:        200000 kB\n"
    "Mapped:            30000 kB\n"
    "HardwareCorrupted:     4 kB\n"
    "AnonHugePages:     40960 kB\n"
    "FileHugePages:      2048 kB\n"
    "HugePages_Total:       0\n";

TEST(MeminfoParser, ReadsWhatTheAuditNeedsInBytes) {
  const auto meminfo = parse_meminfo(kMeminfo);
  ASSERT_TRUE(meminfo.ok()) << problem_of(meminfo);
  EXPECT_EQ(meminfo->total, 16384000ull * 1024);
  EXPECT_EQ(meminfo->anon_pages, 200000u * 1024);
  EXPECT_EQ(meminfo->mapped, 30000u * 1024);
  EXPECT_EQ(meminfo->hardware_corrupted, 4096u);
  EXPECT_EQ(meminfo->anon_huge_pages, 40960u * 1024);
  EXPECT_EQ(meminfo->file_huge_pages, 2048u * 1024);
}

TEST(MeminfoParser, TellsAbsentFromZero) {
  const auto meminfo = parse_meminfo("AnonPages: 0 kB\n");
  ASSERT_TRUE(meminfo.ok());
  EXPECT_EQ(meminfo->anon_pages, 0u);
  EXPECT_FALSE(meminfo->anon_huge_pages.has_value());
}

TEST(MeminfoParser, RejectsAValueThatIsNoNumberOfKilobytes) {
  for (const char* const value :
       {"x kB", "-1 kB", "200000", "200000 MB", "18446744073709551616 kB"}) {
    const auto meminfo = parse_meminfo(with(kMeminfo, "200000 kB", value));
    EXPECT_TRUE(problem_of(meminfo).starts_with("malformed:3: the value is no number of kB"))
        << value << ": " << problem_of(meminfo);
  }
}

TEST(MeminfoParser, RejectsAFieldThatStandsTwice) {
  EXPECT_TRUE(problem_of(parse_meminfo("Mapped: 1 kB\nMapped: 1 kB\n"))
                  .starts_with("malformed:2: the field stands twice"));
}

TEST(MeminfoParser, RejectsALineWithoutAKey) {
  for (const char* const text : {"\n", "MemTotal 1 kB\n", ": 1 kB\n"}) {
    EXPECT_TRUE(problem_of(parse_meminfo(text)).starts_with("malformed:1: the line has no key"))
        << text;
  }
}

TEST(MeminfoParser, RejectsATextThatIsCut) {
  EXPECT_TRUE(problem_of(parse_meminfo("")).starts_with("truncated"));
  for (std::size_t size = 1; size < kMeminfo.size(); ++size) {
    const auto cut = parse_meminfo(kMeminfo.substr(0, size));
    EXPECT_EQ(cut.ok(), kMeminfo[size - 1] == '\n') << size;
  }
}

}  // namespace
}  // namespace smaps_audit
