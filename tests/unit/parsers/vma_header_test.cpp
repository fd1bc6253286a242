// SPDX-License-Identifier: Apache-2.0
#include "parsers/vma_header.h"

#include <gtest/gtest.h>

#include "samples.h"

namespace smaps_audit {
namespace {

using samples::problem_of;

constexpr std::string_view kFileLine =
    "55eb915e0000-55eb915e6000 r-xs 00002000 fe:1f 247498                     /usr/bin/head";

VmaHeader must_parse(std::string_view line) {
  auto header = parse_vma_header(line);
  EXPECT_TRUE(header.ok()) << problem_of(header);
  return header ? *header : VmaHeader{};
}

TEST(VmaHeaderParser, ReadsEveryField) {
  const VmaHeader header = must_parse(kFileLine);
  EXPECT_EQ(header.start, 0x55eb915e0000u);
  EXPECT_EQ(header.end, 0x55eb915e6000u);
  EXPECT_EQ(header.size_bytes(), 0x6000u);
  EXPECT_TRUE(header.readable);
  EXPECT_FALSE(header.writable);
  EXPECT_TRUE(header.executable);
  EXPECT_TRUE(header.shared);
  EXPECT_EQ(header.file_offset, 0x2000u);
  EXPECT_EQ(header.device_major, 0xfeu);
  EXPECT_EQ(header.device_minor, 0x1fu);
  EXPECT_EQ(header.inode, 247498u);
  EXPECT_EQ(header.name, "/usr/bin/head");
  EXPECT_TRUE(header.has_file());
  EXPECT_TRUE(header.accessible());
}

TEST(VmaHeaderParser, ReadsAnAnonymousVmaWithAndWithoutItsTrailingBlank) {
  for (const std::string_view line : {"7f1c2a000000-7f1c2e000000 ---p 00000000 00:00 0 ",
                                      "7f1c2a000000-7f1c2e000000 ---p 00000000 00:00 0"}) {
    const VmaHeader header = must_parse(line);
    EXPECT_TRUE(header.name.empty());
    EXPECT_FALSE(header.has_file());
    EXPECT_FALSE(header.accessible());
    EXPECT_FALSE(header.shared);
  }
}

TEST(VmaHeaderParser, KeepsNamesByteForByte) {
  const std::string prefix = "00400000-00452000 r-xp 00000000 08:02 173521   ";
  const std::string_view with_nul("/a\0b", 4);
  for (const std::string_view name :
       {std::string_view{"/a  b   c"}, std::string_view{"/tmp/x (deleted)"},
        std::string_view{"/x (deleted) (deleted)"}, std::string_view{"/line\\012break"},
        std::string_view{"/\xff\x80\xc3 latin"}, std::string_view{"/trailing  "},
        std::string_view{"[anon:heap of x]"}, std::string_view{"/tab\there\r"},
        std::string_view{"/1000-2000 rw-p 00000000 00:00 0"}, std::string_view{"/Rss: 4 kB"},
        with_nul}) {
    EXPECT_EQ(must_parse(prefix + std::string{name}).size_bytes(), 0x52000u);
    const std::string line = prefix + std::string{name};
    EXPECT_EQ(must_parse(line).name, name);
  }
}

TEST(VmaHeaderParser, ReadsTheGateVmaAtTheEndOfTheAddressSpace) {
  const VmaHeader header = must_parse(
      "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]");
  EXPECT_EQ(header.start, 0xffffffffff600000u);
  EXPECT_EQ(header.size_bytes(), 4096u);
  EXPECT_TRUE(header.executable);
  EXPECT_FALSE(header.readable);
}

TEST(VmaHeaderParser, KnowsAFileByItsInodeOrItsDevice) {
  EXPECT_TRUE(must_parse("1000-2000 rw-s 00000000 00:01 0  /x").has_file());
  EXPECT_TRUE(must_parse("1000-2000 rw-s 00000000 00:00 5  /x").has_file());
}

struct BadHeader {
  const char* line;
  const char* problem;
};

TEST(VmaHeaderParser, RejectsWhatTheKernelDoesNotWrite) {
  const BadHeader cases[] = {
      {"", "the address range of a VMA has no '-'"},
      {"1000 rw-p 00000000 00:00 0", "the address range of a VMA has no '-'"},
      {"1000- rw-p 00000000 00:00 0", "the address range of a VMA is not two hexadecimal numbers"},
      {"-2000 rw-p 00000000 00:00 0", "the address range of a VMA is not two hexadecimal numbers"},
      {"0x1000-2000 rw-p 00000000 00:00 0",
       "the address range of a VMA is not two hexadecimal numbers"},
      {"1000-2g00 rw-p 00000000 00:00 0",
       "the address range of a VMA is not two hexadecimal numbers"},
      {"1000-10000000000000000 rw-p 00000000 00:00 0",
       "the address range of a VMA is not two hexadecimal numbers"},
      {"1001-2000 rw-p 00000000 00:00 0", "the address range of a VMA is not made of whole pages"},
      {"1000-2fff rw-p 00000000 00:00 0", "the address range of a VMA is not made of whole pages"},
      {"2000-1000 rw-p 00000000 00:00 0", "the address range of a VMA is empty or reversed"},
      {"1000-1000 rw-p 00000000 00:00 0", "the address range of a VMA is empty or reversed"},
      {"1000-2000", "the permissions of a VMA are not of the form [r-][w-][x-][sp]"},
      {"1000-2000  rw-p 00000000 00:00 0",
       "the permissions of a VMA are not of the form [r-][w-][x-][sp]"},
      {"1000-2000 rw- 00000000 00:00 0",
       "the permissions of a VMA are not of the form [r-][w-][x-][sp]"},
      {"1000-2000 wr-p 00000000 00:00 0",
       "the permissions of a VMA are not of the form [r-][w-][x-][sp]"},
      {"1000-2000 rw-- 00000000 00:00 0",
       "the permissions of a VMA are not of the form [r-][w-][x-][sp]"},
      {"1000-2000 rw-p", "the file offset of a VMA is not a hexadecimal number of whole pages"},
      {"1000-2000 rw-p 00000001 00:00 0",
       "the file offset of a VMA is not a hexadecimal number of whole pages"},
      {"1000-2000 rw-p xyz 00:00 0",
       "the file offset of a VMA is not a hexadecimal number of whole pages"},
      {"1000-2000 rw-p 00000000", "the device of a VMA has no ':'"},
      {"1000-2000 rw-p 00000000 0000 0", "the device of a VMA has no ':'"},
      {"1000-2000 rw-p 00000000 00: 0",
       "the device of a VMA is not two hexadecimal numbers of 12 and 20 bits"},
      {"1000-2000 rw-p 00000000 1000:00 0",
       "the device of a VMA is not two hexadecimal numbers of 12 and 20 bits"},
      {"1000-2000 rw-p 00000000 00:100000 0",
       "the device of a VMA is not two hexadecimal numbers of 12 and 20 bits"},
      {"1000-2000 rw-p 00000000 00:00", "the inode of a VMA is not a number"},
      {"1000-2000 rw-p 00000000 00:00 -1", "the inode of a VMA is not a number"},
      {"1000-2000 rw-p 00000000 00:00 18446744073709551616", "the inode of a VMA is not a number"},
  };
  for (const BadHeader& bad : cases) {
    EXPECT_EQ(problem_of(parse_vma_header(bad.line)),
              "malformed: " + std::string{bad.problem} + ": \"" + bad.line + "\"");
  }
}

TEST(VmaHeaderParser, LeavesTheLineToTheCaller) {
  EXPECT_FALSE(parse_vma_header("x").error().line.has_value());
}

TEST(VmaHeaderShape, IsToldFromAField) {
  EXPECT_TRUE(looks_like_vma_header(kFileLine));
  EXPECT_TRUE(looks_like_vma_header("00400000-00452000 "));
  for (const char* const line :
       {"", "Size:                  4 kB", "VmFlags: rd", "abc: 5 kB", "abc-def", "abc-def:", "-1 ",
        "1- ", "1", "1-", "ABC-DEF rw-p", "abc", "a b-c "}) {
    EXPECT_FALSE(looks_like_vma_header(line)) << line;
  }
}

TEST(RollupHeaderParser, ReadsTheRange) {
  const auto header = parse_rollup_header(
      "561a12790000-7fffa66ff000 ---p 00000000 00:00 0                          [rollup]");
  ASSERT_TRUE(header.ok()) << problem_of(header);
  EXPECT_EQ(header->end, 0x7fffa66ff000u);
}

TEST(RollupHeaderParser, AllowsAnMmWithoutVmas) {
  const auto header = parse_rollup_header("00000000-00000000 ---p 00000000 00:00 0  [rollup]");
  ASSERT_TRUE(header.ok()) << problem_of(header);
  EXPECT_EQ(header->size_bytes(), 0u);
}

TEST(RollupHeaderParser, RejectsTheHeaderOfAVma) {
  for (const char* const line :
       {"1000-2000 ---p 00000000 00:00 0 [stack]", "1000-2000 r--p 00000000 00:00 0 [rollup]",
        "1000-2000 ---s 00000000 00:00 0 [rollup]", "1000-2000 ---p 00001000 00:00 0 [rollup]",
        "1000-2000 ---p 00000000 00:01 0 [rollup]", "1000-2000 ---p 00000000 00:00 1 [rollup]",
        "1000-2000 ---p 00000000 00:00 0 [rollup] "}) {
    EXPECT_EQ(
        problem_of(parse_rollup_header(line)),
        "malformed: the first line is not the header of a rollup: \"" + std::string{line} + "\"");
  }
  EXPECT_FALSE(parse_rollup_header("2000-1000 ---p 00000000 00:00 0 [rollup]").ok());
}

TEST(MapsParser, ReadsAllLines) {
  const auto maps = parse_maps(
      "1000-2000 r--p 00000000 fe:00 7   /a b\n"
      "2000-4000 rw-p 00000000 00:00 0 \n");
  ASSERT_TRUE(maps.ok()) << problem_of(maps);
  ASSERT_EQ(maps->size(), 2u);
  EXPECT_EQ((*maps)[0].name, "/a b");
  EXPECT_EQ((*maps)[1].end, 0x4000u);
}

TEST(MapsParser, AcceptsNoVma) {
  const auto maps = parse_maps("");
  ASSERT_TRUE(maps.ok());
  EXPECT_TRUE(maps->empty());
}

TEST(MapsParser, NamesTheLineThatIsWrong) {
  EXPECT_EQ(problem_of(parse_maps("1000-2000 r--p 00000000 00:00 0 \n3000-2000 r--p 0 00:00 0\n")),
            "malformed:2: the address range of a VMA is empty or reversed: "
            "\"3000-2000 r--p 0 00:00 0\"");
}

TEST(MapsParser, RejectsAnEmptyLine) {
  EXPECT_EQ(problem_of(parse_maps("\n")),
            "malformed:1: the address range of a VMA has no '-': \"\"");
}

TEST(MapsParser, RejectsALineThatIsCut) {
  EXPECT_EQ(problem_of(parse_maps("1000-2000 r--p 00000000 00:00 0 \n3000-4000 r-")),
            "truncated:2: the text ends within a line: \"3000-4000 r-\"");
}

}  // namespace
}  // namespace smaps_audit
