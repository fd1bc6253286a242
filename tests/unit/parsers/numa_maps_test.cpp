// SPDX-License-Identifier: Apache-2.0
#include "parsers/numa_maps.h"

#include <gtest/gtest.h>

#include "samples.h"

namespace smaps_audit {
namespace {

using samples::kNumaMaps;
using samples::problem_of;
using samples::problem_without_excerpt;

NumaMapsText must_parse(std::string_view text) {
  auto numa_maps = parse_numa_maps(text);
  EXPECT_TRUE(numa_maps.ok()) << problem_of(numa_maps);
  return numa_maps ? *std::move(numa_maps) : NumaMapsText{};
}

/// `line` stands for one line without its '\n' and must outlive the record.
NumaMapsRecord only_record(const std::string& line) {
  const NumaMapsText numa_maps = must_parse(line);
  EXPECT_EQ(numa_maps.records.size(), 1u);
  return numa_maps.records.empty() ? NumaMapsRecord{} : numa_maps.records.front();
}

std::string problem_of_line(std::string_view line) {
  return problem_of(parse_numa_maps(std::string{line} + "\n"));
}

TEST(NumaMapsParser, ReadsTheKindsOfLinesThatTheKernelWrites) {
  const NumaMapsText numa_maps = must_parse(kNumaMaps);
  ASSERT_EQ(numa_maps.records.size(), 8u);
  EXPECT_EQ(numa_maps.unknown_fields, 0u);
  const NumaMapsRecord& file = numa_maps.records[0];
  EXPECT_EQ(file.start, 0x55c8dbb64000u);
  EXPECT_EQ(file.policy, "default");
  EXPECT_EQ(file.file, "/usr/bin/head");
  EXPECT_EQ(file.mapped_pages, 2u);
  EXPECT_EQ(file.total_pages, 2u);
  EXPECT_EQ(file.nodes, 1u);
  EXPECT_EQ(file.kernel_page_bytes, 4096u);
  EXPECT_FALSE(file.anon_pages.has_value());
  EXPECT_TRUE(numa_maps.records[2].heap);
  EXPECT_EQ(numa_maps.records[2].active_pages, 0u);
  EXPECT_EQ(numa_maps.records[3].mapmax, 10u);
  EXPECT_TRUE(numa_maps.records[6].stack);
}

TEST(NumaMapsParser, SumsTheNodes) {
  const NumaMapsRecord record = must_parse(kNumaMaps).records[4];
  EXPECT_EQ(record.policy, "bind=balancing:0-1");
  EXPECT_EQ(record.total_pages, 16384u);
  EXPECT_EQ(record.nodes, 2u);
  EXPECT_EQ(record.anon_pages, 16384u);
  EXPECT_EQ(record.dirty_pages, 16380u);
  EXPECT_EQ(record.swapcache_pages, 3u);
  EXPECT_EQ(record.writeback_pages, 2u);
  EXPECT_FALSE(record.active_pages.has_value());
}

TEST(NumaMapsParser, ReadsHugetlbInUnitsOfItsPages) {
  const NumaMapsRecord record = must_parse(kNumaMaps).records[5];
  EXPECT_TRUE(record.huge);
  EXPECT_EQ(record.file, "/anon_hugepage\\040(deleted)");
  EXPECT_EQ(record.kernel_page_bytes, 2097152u);
  EXPECT_EQ(record.total_pages, 2u);
}

TEST(NumaMapsParser, ReadsALineWithoutPages) {
  const NumaMapsRecord record = must_parse(kNumaMaps).records[7];
  EXPECT_EQ(record.policy, "default");
  EXPECT_EQ(record.total_pages, 0u);
  EXPECT_EQ(record.nodes, 0u);
  EXPECT_FALSE(record.kernel_page_bytes.has_value());
}

TEST(NumaMapsParser, KeepsPoliciesWithBlanks) {
  for (const std::string policy :
       {"default", "local", "prefer:1", "bind:0-3,7", "bind=static|balancing:0", "interleave:0-1",
        "bind=balancing:0-1", "prefer (many):0", "prefer (many)=relative:0-1", "unknown",
        "weighted interleave:0-1", "weighted interleave=static:0,2"}) {
    const std::string bare = "7f0000000000 " + policy + "\n";
    EXPECT_EQ(only_record(bare).policy, policy);
    const std::string counted =
        "7f0000000000 " + policy + " anon=1 dirty=1 N0=1 kernelpagesize_kB=4\n";
    EXPECT_EQ(only_record(counted).policy, policy);
    EXPECT_EQ(only_record(counted).anon_pages, 1u);
    const std::string on_heap = "7f0000000000 " + policy + " heap\n";
    EXPECT_EQ(only_record(on_heap).policy, policy);
    EXPECT_TRUE(only_record(on_heap).heap);
  }
}

TEST(NumaMapsParser, KeepsFileNamesByteForByte) {
  const std::string line = "7f0000000000 default file=/x\\075N0\\0759\\012\xff heap N0=1\n";
  const NumaMapsRecord record = only_record(line);
  EXPECT_EQ(record.file, "/x\\075N0\\0759\\012\xff");
  EXPECT_EQ(record.total_pages, 1u);
}

TEST(NumaMapsParser, CountsUnknownFields) {
  const NumaMapsText numa_maps =
      must_parse("1000 default anon=1 shiny new=x N0=1 Nx=2\n2000 default heap odd\n");
  EXPECT_EQ(numa_maps.records[0].unknown_fields, 3u);
  EXPECT_EQ(numa_maps.records[1].unknown_fields, 1u);
  EXPECT_EQ(numa_maps.unknown_fields, 4u);
}

TEST(NumaMapsParser, AcceptsNoVma) { EXPECT_TRUE(must_parse("").records.empty()); }

TEST(NumaMapsParser, RejectsAnAddressThatIsNone) {
  for (const char* const line : {"", "x default", "1001 default", "0x1000 default", " default",
                                 "10000000000000000 default"}) {
    EXPECT_EQ(problem_of_line(line),
              "malformed:1: a line of numa_maps does not start with the hexadecimal address of a "
              "page: \"" +
                  std::string{line} + "\"");
  }
}

TEST(NumaMapsParser, RejectsALineWithoutPolicy) {
  for (const char* const line : {"1000", "1000 ", "1000  anon=1"}) {
    EXPECT_EQ(problem_of_line(line),
              "malformed:1: a line of numa_maps has no policy: \"" + std::string{line} + "\"");
  }
}

TEST(NumaMapsParser, RejectsACountThatIsNoNumber) {
  for (const char* const field :
       {"anon=", "dirty=x", "mapped=-1", "mapmax=1.5", "swapcache=+1", "active=0x1",
        "writeback=18446744073709551616", "N0=", "N0=x", "N1x=1", "N18446744073709551616=1"}) {
    EXPECT_EQ(problem_of_line("1000 default " + std::string{field}),
              "malformed:1: a field of numa_maps is not a number of 64 bits: \"1000 default " +
                  std::string{field} + "\"");
  }
}

TEST(NumaMapsParser, RejectsAFieldThatStandsTwice) {
  for (const char* const fields : {"anon=1 anon=1", "heap heap", "file=/a file=/a",
                                   "kernelpagesize_kB=4 kernelpagesize_kB=4"}) {
    EXPECT_EQ(problem_of_line("1000 default " + std::string{fields}),
              "malformed:1: a field of numa_maps stands twice in a line: \"1000 default " +
                  std::string{fields} + "\"");
  }
}

TEST(NumaMapsParser, RejectsNodesThatDoNotAscend) {
  for (const char* const nodes : {"N0=1 N0=1", "N1=1 N0=1"}) {
    EXPECT_EQ(problem_of_line("1000 default " + std::string{nodes}),
              "malformed:1: the nodes of numa_maps do not ascend: \"1000 default " +
                  std::string{nodes} + "\"");
  }
}

TEST(NumaMapsParser, RejectsASumThatOverflows) {
  EXPECT_EQ(problem_of_line("1000 default N0=18446744073709551615 N1=1"),
            "malformed:1: the sum of the nodes does not fit 64 bits: "
            "\"1000 default N0=18446744073709551615 N1=1\"");
}

TEST(NumaMapsParser, RejectsAPageSizeThatIsNone) {
  for (const char* const size : {"", "0", "x", "18014398509481984"}) {
    EXPECT_EQ(problem_of_line("1000 default kernelpagesize_kB=" + std::string{size}),
              "malformed:1: kernelpagesize_kB is not the size of a page: "
              "\"1000 default kernelpagesize_kB=" +
                  std::string{size} + "\"");
  }
}

TEST(NumaMapsParser, NamesTheLineThatIsWrong) {
  EXPECT_EQ(
      problem_without_excerpt(parse_numa_maps(std::string{kNumaMaps} + "1000 default anon=x\n")),
      "malformed:9: a field of numa_maps is not a number of 64 bits");
}

TEST(NumaMapsParser, RejectsALineThatIsCut) {
  EXPECT_EQ(problem_of(parse_numa_maps("1000 default anon=12")),
            "truncated:1: the text ends within a line: \"1000 default anon=12\"");
}

}  // namespace
}  // namespace smaps_audit
