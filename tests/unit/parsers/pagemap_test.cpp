// SPDX-License-Identifier: Apache-2.0
#include "parsers/pagemap.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>

#include "samples.h"

namespace smaps_audit {
namespace {

using samples::problem_of;

constexpr std::uint64_t bit(unsigned number) { return std::uint64_t{1} << number; }

TEST(PagemapWordBits, AreThoseOfTheKernel) {
  EXPECT_TRUE(PagemapWord{bit(63)}.present());
  EXPECT_TRUE(PagemapWord{bit(62)}.swapped());
  EXPECT_TRUE(PagemapWord{bit(61)}.file());
  EXPECT_TRUE(PagemapWord{bit(58)}.guard());
  EXPECT_TRUE(PagemapWord{bit(57)}.uffd_wp());
  EXPECT_TRUE(PagemapWord{bit(56)}.exclusive());
  EXPECT_TRUE(PagemapWord{bit(55)}.soft_dirty());
  const PagemapWord rest{~(bit(63) | bit(62) | bit(61) | bit(58) | bit(57) | bit(56) | bit(55))};
  EXPECT_FALSE(rest.present() || rest.swapped() || rest.file() || rest.guard() || rest.uffd_wp() ||
               rest.exclusive() || rest.soft_dirty());
}

TEST(PagemapWordBits, HoldAPageFrameNumber) {
  EXPECT_EQ((PagemapWord{bit(63) | bit(56) | 0x123456}.pfn()), 0x123456u);
  EXPECT_EQ((PagemapWord{~std::uint64_t{0}}.pfn()), bit(55) - 1);
}

TEST(PagemapWordBits, HoldASwapEntry) {
  const PagemapWord word{bit(62) | 77 << 5 | 23};
  EXPECT_EQ(word.swap_type(), 23u);
  EXPECT_EQ(word.swap_offset(), 77u);
  EXPECT_EQ((PagemapWord{~std::uint64_t{0}}.swap_offset()), bit(50) - 1);
}

TEST(PagemapParser, ReadsWords) {
  const std::array<std::uint64_t, 3> raw = {0, bit(63) | 5, ~std::uint64_t{0}};
  const auto words = parse_pagemap(std::as_bytes(std::span{raw}));
  ASSERT_TRUE(words.ok());
  ASSERT_EQ(words->size(), 3u);
  for (std::size_t i = 0; i < raw.size(); ++i) EXPECT_EQ((*words)[i].raw, raw[i]);
}

TEST(PagemapParser, ReadsWordsThatAreNotAligned) {
  std::array<std::byte, 17> bytes{};
  const std::uint64_t raw = bit(63) | 42;
  std::memcpy(bytes.data() + 9, &raw, sizeof raw);
  const auto words = parse_pagemap(std::span{bytes}.subspan(1));
  ASSERT_TRUE(words.ok());
  EXPECT_EQ((*words)[1].pfn(), 42u);
}

TEST(PagemapParser, AcceptsNoBytes) {
  const auto words = parse_pagemap({});
  ASSERT_TRUE(words.ok());
  EXPECT_TRUE(words->empty());
}

TEST(PagemapParser, RejectsAWordThatIsCut) {
  const std::array<std::byte, 23> bytes{};
  const auto words = parse_pagemap(bytes);
  EXPECT_EQ(problem_of(words), "truncated: the words of pagemap end within a word");
  EXPECT_EQ(words.error().offset, 16u);
}

constexpr std::uint64_t kPage = 4096;

std::string problem_of_regions(std::initializer_list<PageRegion> regions) {
  return problem_of(validate_page_regions(regions, 0x10000, 0x20000, kPage));
}

TEST(PageRegionCheck, AcceptsWhatAWalkGives) {
  EXPECT_EQ(problem_of_regions({}), "no error");
  EXPECT_EQ(problem_of_regions({{0x10000, 0x11000, page_is::kPresent},
                                {0x11000, 0x13000, page_is::kFile | page_is::kPresent},
                                {0x1f000, 0x20000, page_is::kSwapped}}),
            "no error");
}

TEST(PageRegionCheck, RejectsHalfAPage) {
  EXPECT_EQ(problem_of_regions({{0x10000, 0x11000, 0}, {0x12001, 0x13000, 0}}),
            "malformed:1: region 1 of PAGEMAP_SCAN is not made of whole pages");
  EXPECT_EQ(problem_of_regions({{0x10000, 0x11800, 0}}),
            "malformed:0: region 0 of PAGEMAP_SCAN is not made of whole pages");
}

TEST(PageRegionCheck, RejectsAnEmptyRegion) {
  for (const std::uint64_t end : {0x12000u, 0x11000u}) {
    EXPECT_EQ(problem_of_regions({{0x12000, end, 0}}),
              "malformed:0: region 0 of PAGEMAP_SCAN is empty or reversed");
  }
}

TEST(PageRegionCheck, RejectsARegionBeforeTheStart) {
  EXPECT_EQ(problem_of_regions({{0xf000, 0x11000, 0}}),
            "malformed:0: region 0 of PAGEMAP_SCAN starts before the range asked for or the region "
            "before it ends");
}

TEST(PageRegionCheck, RejectsRegionsThatOverlapOrDescend) {
  for (const PageRegion second :
       {PageRegion{0x12000, 0x14000, 0}, PageRegion{0x10000, 0x11000, 0}}) {
    EXPECT_EQ(problem_of_regions({{0x11000, 0x13000, 0}, second}),
              "malformed:1: region 1 of PAGEMAP_SCAN starts before the range asked for or the "
              "region before it ends");
  }
}

TEST(PageRegionCheck, RejectsARegionBehindTheWalk) {
  EXPECT_EQ(problem_of_regions({{0x1f000, 0x21000, 0}}),
            "malformed:0: region 0 of PAGEMAP_SCAN ends behind the end of the walk");
}

TEST(PageRegionCheck, RejectsAPageSizeThatIsNone) {
  for (const std::uint64_t page_bytes : {0u, 3000u}) {
    const auto checked = validate_page_regions({}, 0, 0, page_bytes);
    ASSERT_FALSE(checked.ok());
    EXPECT_EQ(checked.error().code, ErrorCode::usage);
  }
}

}  // namespace
}  // namespace smaps_audit
