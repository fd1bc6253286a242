// SPDX-License-Identifier: Apache-2.0
#include "tests/support/capture_edit.h"

#include <gtest/gtest.h>

#include "parsers/pagemap.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/text_edit.h"
#include "tests/unit/collect/capture_samples.h"

namespace smaps_audit {
namespace {

constexpr char kFirst[] =
    "00001000-00003000 rw-p 00000000 00:00 0                          [heap]\n"
    "Rss:                   8 kB\n"
    "Pss:                   8 kB\n";
constexpr char kSecond[] =
    "00005000-00009000 rw-p 00000000 00:00 0 \n"
    "Rss:                  16 kB\n"
    "Pss:                  16 kB\n";

CaptureEvent opened(std::uint64_t handle, const std::string& path) {
  return {.call = {.operation = KernelOperation::open, .path = path.substr(6)},
          .answer = {.number = handle, .text = path}};
}

CaptureEvent read_of(std::uint64_t handle, const std::string& text, std::uint64_t size = 65536) {
  return {.call = {.operation = KernelOperation::read, .handle = handle, .size = size},
          .answer = {.data = to_bytes(text)}};
}

class CaptureEditTest : public testing::Test {
 protected:
  /// The events after the edit; a test failure if it did not change so many places.
  std::vector<CaptureEvent> edited(const std::vector<CaptureEvent>& events, const CaptureEdit& edit,
                                   std::uint64_t places) {
    EXPECT_TRUE(write_capture(directory_.file("in"), events));
    const Result<std::uint64_t> edits =
        edit_capture(directory_.file("in"), directory_.file("out"), edit);
    EXPECT_TRUE(edits) << edits.error().message();
    if (!edits) return {};
    EXPECT_EQ(*edits, places);
    return read_capture(directory_.file("out")).value_or({});
  }
  std::string refusal(const std::vector<CaptureEvent>& events, const CaptureEdit& edit) {
    EXPECT_TRUE(write_capture(directory_.file("in"), events));
    const Result<std::uint64_t> edits =
        edit_capture(directory_.file("in"), directory_.file("out"), edit);
    EXPECT_EQ(directory_.names(), std::vector<std::string>{"in"});
    return edits ? "no error" : edits.error().what;
  }

  TemporaryDirectory directory_;
};

TEST_F(CaptureEditTest, ChangesOneFieldOfOneVmaInEveryReadOfSmaps) {
  const std::vector<CaptureEvent> events = {
      opened(1, "/proc/7/smaps"), opened(2, "/proc/7/smaps_rollup"),
      read_of(1, std::string{kFirst} + kSecond), read_of(2, kSecond), read_of(1, kSecond)};
  const auto after =
      edited(events,
             {.file = "smaps", .vma_start = 0x5000, .field = "Rss", .change = {.add = 100'000}}, 2);
  ASSERT_EQ(after.size(), 5u);
  const std::string changed =
      "00005000-00009000 rw-p 00000000 00:00 0 \n"
      "Rss:              100016 kB\n"
      "Pss:                  16 kB\n";
  EXPECT_EQ(to_text(after[2].answer.data), kFirst + changed);
  EXPECT_EQ(to_text(after[3].answer.data), kSecond);
  EXPECT_EQ(to_text(after[4].answer.data), changed);
}

TEST_F(CaptureEditTest, ShowsTheLastWholeReading) {
  const auto rewound = [](std::uint64_t handle) {
    return CaptureEvent{.call = {.operation = KernelOperation::rewind, .handle = handle}};
  };
  const std::string path = directory_.file("in");
  ASSERT_TRUE(write_capture(path, {opened(1, "/proc/7/smaps"), opened(2, "/proc/7/status"),
                                   read_of(1, kSecond), rewound(1), read_of(1, kFirst),
                                   read_of(2, "VmRSS: 8 kB\n"), read_of(1, kSecond), rewound(2)}));
  EXPECT_EQ(last_text(path, "smaps").value_or(""), std::string{kFirst} + kSecond);
  EXPECT_EQ(last_text(path, "status").value_or(""), "VmRSS: 8 kB\n");
  EXPECT_EQ(last_text(path, "statm").error().what, "the capture holds no statm");
  EXPECT_FALSE(last_text(directory_.file("none"), "smaps"));
}

TEST_F(CaptureEditTest, ChangesARollupAndStatus) {
  const std::vector<CaptureEvent> events = {
      opened(1, "/proc/7/smaps_rollup"),  read_of(1, kSecond),
      opened(2, "/proc/7/status"),        read_of(2, "VmHWM:\t    100 kB\nVmRSS:\t    100 kB\n"),
      opened(3, "/proc/7/task/8/status"), read_of(3, "VmRSS:\t    100 kB\n")};
  auto after = edited(events, {.file = "smaps_rollup", .field = "Rss", .change = {.add = -12}}, 1);
  ASSERT_EQ(after.size(), 6u);
  EXPECT_NE(to_text(after[1].answer.data).find("Rss:                   4 kB"), std::string::npos);
  after = edited(events, {.file = "status", .field = "VmRSS", .change = {.add = -64}}, 1);
  ASSERT_EQ(after.size(), 6u);
  EXPECT_EQ(to_text(after[3].answer.data), "VmHWM:\t    100 kB\nVmRSS:\t     36 kB\n");
  EXPECT_EQ(to_text(after[5].answer.data), "VmRSS:\t    100 kB\n");
}

TEST_F(CaptureEditTest, ChangesANodeOfNumaMaps) {
  const std::vector<CaptureEvent> events = {
      opened(1, "/proc/7/numa_maps"),
      read_of(1,
              "00001000 default heap anon=2 dirty=2 N0=2 kernelpagesize_kB=4\n"
              "00005000 default\n")};
  const auto line = [&](std::uint64_t vma, const std::string& name, const Change& change) {
    const auto after =
        edited(events, {.file = "numa_maps", .vma_start = vma, .field = name, .change = change}, 1);
    return after.size() == 2 ? to_text(after[1].answer.data) : "";
  };
  EXPECT_EQ(line(0x1000, "N0", {.add = 3}),
            "00001000 default heap anon=2 dirty=2 N0=5 kernelpagesize_kB=4\n00005000 default\n");
  EXPECT_EQ(line(0x1000, "N1", {.add = 3}),
            "00001000 default heap anon=2 dirty=2 N0=2 N1=3 kernelpagesize_kB=4\n"
            "00005000 default\n");
  EXPECT_EQ(line(0x1000, "N0", {.add = -2}),
            "00001000 default heap anon=2 dirty=2 kernelpagesize_kB=4\n00005000 default\n");
  EXPECT_EQ(line(0x1000, "anon", {.times = 0}),
            "00001000 default heap dirty=2 N0=2 kernelpagesize_kB=4\n00005000 default\n");
  EXPECT_EQ(line(0x1000, "active", {.add = 1}),
            "00001000 default heap anon=2 dirty=2 active=1 N0=2 kernelpagesize_kB=4\n"
            "00005000 default\n");
}

TEST_F(CaptureEditTest, ChangesStatmAndWhereTheNextReadBegins) {
  CaptureEvent end = read_of(1, "");
  end.call.operation = KernelOperation::pread;
  end.call.offset = 22;
  CaptureEvent first = read_of(1, "1000 300 200 1 0 99 0\n");
  first.call.operation = KernelOperation::pread;
  const auto after = edited({opened(1, "/proc/7/statm"), first, end},
                            {.file = "statm", .field = "resident", .change = {.divided_by = 4}}, 1);
  ASSERT_EQ(after.size(), 3u);
  EXPECT_EQ(to_text(after[1].answer.data), "1000 75 200 1 0 99 0\n");
  EXPECT_EQ(after[2].call.offset, 21u);
}

TEST_F(CaptureEditTest, ChangesOnePageOfPagemap) {
  std::vector<std::byte> words(32);
  words[15] = std::byte{0x81};  // page 5: present, exclusive
  words[14] = std::byte{0x80};  // soft-dirty
  const std::vector<CaptureEvent> events = {
      opened(1, "/proc/7/pagemap"),
      {.call = {.operation = KernelOperation::pread, .handle = 1, .offset = 32, .size = 4096},
       .answer = {.data = words}},
      {.call = {.operation = KernelOperation::pread, .handle = 1, .offset = 64, .size = 4096},
       .answer = {.data = words}}};
  auto after = edited(events, {.file = "pagemap", .page_address = 0x5000, .present = false}, 1);
  ASSERT_EQ(after.size(), 3u);
  EXPECT_EQ(after[1].answer.data[15], std::byte{0});
  EXPECT_EQ(after[1].answer.data[14], std::byte{0x80});
  EXPECT_EQ(after[2].answer.data, words);
  after = edited(events, {.file = "pagemap", .page_address = 0x6abc, .present = true}, 1);
  ASSERT_EQ(after.size(), 3u);
  EXPECT_EQ(after[1].answer.data[23], std::byte{0x81});
}

CaptureEvent scan_of(std::vector<PageRegion> regions, std::uint64_t asked = 8) {
  return {.call = {.operation = KernelOperation::pagemap_scan,
                   .handle = 1,
                   .size = asked,
                   .start = 0x1000,
                   .end = 0x10000,
                   .return_mask = page_is::kPresent | page_is::kFile},
          .answer = {.number = 0x8000, .regions = std::move(regions)}};
}

TEST_F(CaptureEditTest, SplitsTheRegionOfAScan) {
  const std::vector<CaptureEvent> events = {opened(1, "/proc/7/pagemap"),
                                            scan_of({{0x2000, 0x5000, page_is::kPresent}})};
  const auto regions = [&](std::uint64_t page, bool present) {
    const auto after =
        edited(events, {.file = "pagemap_scan", .page_address = page, .present = present}, 1);
    std::string text;
    for (const PageRegion& region : after.at(1).answer.regions) {
      text += std::to_string(region.start >> 12) + "-" + std::to_string(region.end >> 12) + "/" +
              std::to_string(region.categories) + " ";
    }
    return text;
  };
  EXPECT_EQ(regions(0x3000, false), "2-3/8 4-5/8 ");
  EXPECT_EQ(regions(0x2000, false), "3-5/8 ");
  EXPECT_EQ(regions(0x4000, false), "2-4/8 ");
  EXPECT_EQ(regions(0x1000, true), "1-2/8 2-5/8 ");
  EXPECT_EQ(regions(0x6000, true), "2-5/8 6-7/8 ");
}

TEST_F(CaptureEditTest, RefusesWhatCannotBe) {
  const std::vector<CaptureEvent> smaps = {opened(1, "/proc/7/smaps"),
                                           read_of(1, kSecond, sizeof kSecond - 1)};
  const auto edit = [](std::uint64_t vma, std::int64_t kb) {
    return CaptureEdit{.file = "smaps", .vma_start = vma, .field = "Rss", .change = {.add = kb}};
  };
  EXPECT_EQ(refusal(smaps, edit(0x7000, 4)), "no read of the capture matches the edit");
  EXPECT_EQ(refusal(smaps, edit(0x5000, -20)), "Rss would become -4");
  const std::string line = "00005000 default anon=2 N0=2 kernelpagesize_kB=4\n";
  EXPECT_NE(refusal({opened(1, "/proc/7/numa_maps"), read_of(1, line, line.size())},
                    {.file = "numa_maps", .vma_start = 0x5000, .field = "N1", .change = {.add = 2}})
                .find("does not fit"),
            std::string::npos);
  EXPECT_EQ(refusal(smaps, {.file = "smaps", .field = "Rss"}), "smaps needs a VMA");
  EXPECT_EQ(refusal(smaps, {.file = "status"}), "no field named");
  EXPECT_EQ(refusal(smaps, {.file = "status", .field = "VmRSS", .change = {.divided_by = 0}}),
            "nothing is divided by 0");
  EXPECT_EQ(refusal(smaps, {.file = "pagemap"}), "pagemap needs the address of a page");
  EXPECT_EQ(refusal(smaps, {.file = "numa_maps"}), "numa_maps needs a VMA");
  EXPECT_EQ(refusal(smaps, {}), "no file named");
  EXPECT_NE(refusal({opened(1, "/proc/7/pagemap"), scan_of({{0x2000, 0x5000, 8}}, 1)},
                    {.file = "pagemap_scan", .page_address = 0x3000})
                .find("does not fit"),
            std::string::npos);
}

}  // namespace
}  // namespace smaps_audit
