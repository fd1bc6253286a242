// SPDX-License-Identifier: Apache-2.0
#include "collect/page_counts.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <map>

#include "collect/page_reader.h"
#include "tests/support/fake_kernel_view.h"

namespace smaps_audit {
namespace {

constexpr const char* kPagemap = "/proc/7/pagemap";
constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kHuge = 2097152;
constexpr std::uint64_t kPresent = std::uint64_t{1} << 63;
constexpr std::uint64_t kFile = std::uint64_t{1} << 61;
constexpr std::uint64_t kExclusive = std::uint64_t{1} << 56;

bool is_run(const MappingRun& run, std::uint64_t first, std::uint64_t last, std::uint32_t fewest,
            std::uint32_t most) {
  return run.first == first && run.last == last && run.fewest == fewest && run.most == most;
}

class PageCountsTest : public testing::Test {
 protected:
  PagePass walk(Range vma) {
    PageReader reader{view, capabilities, PageGeometry{}};
    auto file = view.open(KernelRoot::proc, "7/pagemap");
    EXPECT_TRUE(file.ok());
    PagePass pass;
    EXPECT_TRUE(reader.walk(*file, std::vector{vma}, pass, {}, Mappings::counted).ok());
    return pass;
  }
  /// A block whose pages all have this word, with ascending frames from `pfn` if there is one.
  void set_block(std::uint64_t word, std::uint64_t pfn) {
    std::map<std::uint64_t, std::uint64_t> words;
    for (std::uint64_t i = 0; i < 512; ++i) words[512 + i] = word | (pfn == 0 ? 0 : pfn + i);
    view.set_words(kPagemap, words);
  }
  void see_frames() { capabilities.pfn_visible = capabilities.kpagecount = true; }
  [[nodiscard]] auto reads_of(const std::string& path) const {
    return std::count(view.calls().begin(), view.calls().end(), "pread " + path);
  }
  FakeKernelView view;
  KernelCapabilities capabilities;
};

TEST_F(PageCountsTest, ExclusivePagesAreMappedOnceAndOthersAtLeastTwice) {
  view.set_words(kPagemap, {{513, kPresent | kExclusive}, {514, kPresent | kFile}});
  const PagePass pass = walk({kHuge, 2 * kHuge});
  ASSERT_EQ(pass.mappings.size(), 2u);
  EXPECT_TRUE(is_run(pass.mappings[0], 513, 514, 1, 1));
  EXPECT_TRUE(is_run(pass.mappings[1], 514, 515, 2, kAnyNumber));
}

TEST_F(PageCountsTest, KpagecountTellsOfSharedPages) {
  see_frames();
  view.set_words(kPagemap,
                 {{513, kPresent | kExclusive | 40}, {514, kPresent | 90}, {515, kPresent | 41}});
  view.set_words("/proc/kpagecount", {{40, 1}, {41, 3}, {90, 7}});
  const PagePass pass = walk({kHuge, 2 * kHuge});
  ASSERT_EQ(pass.mappings.size(), 3u);
  EXPECT_TRUE(is_run(pass.mappings[1], 514, 515, 7, 7));
  EXPECT_TRUE(is_run(pass.mappings[2], 515, 516, 3, 3));
  EXPECT_EQ(reads_of("/proc/kpagecount"), 2);  // of 41 and of 90, not of what is exclusive
}

TEST_F(PageCountsTest, NeighbouringFramesAreReadTogether) {
  see_frames();
  view.set_words(kPagemap, {{513, kPresent | 40}, {514, kPresent | 45}, {515, kPresent | 42}});
  view.set_words("/proc/kpagecount", {{40, 2}, {42, 2}, {45, 2}});
  EXPECT_EQ(walk({kHuge, 2 * kHuge}).mappings.size(), 1u);
  EXPECT_EQ(reads_of("/proc/kpagecount"), 1);
}

TEST_F(PageCountsTest, APageThatNothingMapsCountsAsPrivateAsInSmaps) {
  see_frames();
  view.set_words(kPagemap, {{513, kPresent | kFile | 40}});
  view.set_words("/proc/kpagecount", {{40, 0}});
  const PagePass pass = walk({kHuge, 2 * kHuge});
  ASSERT_EQ(pass.mappings.size(), 1u);
  EXPECT_TRUE(is_run(pass.mappings[0], 513, 514, 1, 1));
}

TEST_F(PageCountsTest, OfWhatMayBeAHugePageExclusiveSpeaksForTheFirstPage) {
  set_block(kPresent | kExclusive, 0);
  const PagePass pass = walk({kHuge, 2 * kHuge});
  ASSERT_EQ(pass.mappings.size(), 2u);
  EXPECT_TRUE(is_run(pass.mappings[0], 512, 513, 1, 1));
  EXPECT_TRUE(is_run(pass.mappings[1], 513, 1024, 1, kAnyNumber));
}

TEST_F(PageCountsTest, AKernelWithoutK09SpeaksForEachPage) {
  capabilities.exclusive_per_page = true;
  set_block(kPresent | kExclusive, 0);
  const PagePass pass = walk({kHuge, 2 * kHuge});
  ASSERT_EQ(pass.mappings.size(), 1u);
  EXPECT_TRUE(is_run(pass.mappings[0], 512, 1024, 1, 1));
}

TEST_F(PageCountsTest, OfAHugePageEveryFrameIsLookedUp) {
  see_frames();
  set_block(kPresent | kExclusive, 1024);
  std::map<std::uint64_t, std::uint64_t> counts;
  for (std::uint64_t i = 0; i < 512; ++i) counts[1024 + i] = i < 256 ? 1 : 2;
  view.set_words("/proc/kpagecount", counts);
  const PagePass pass = walk({kHuge, 2 * kHuge});
  ASSERT_EQ(pass.mappings.size(), 2u);
  EXPECT_TRUE(is_run(pass.mappings[0], 512, 768, 1, 1));
  EXPECT_TRUE(is_run(pass.mappings[1], 768, 1024, 2, 2));
  EXPECT_TRUE(pass.mappings[1].exclusive);  // which is what K09 is
}

TEST_F(PageCountsTest, FramesThatDoNotLieLikeAHugePageSpeakForThemselves) {
  capabilities.pfn_visible = true;
  set_block(kPresent | kExclusive, 1000);
  ASSERT_EQ(walk({kHuge, 2 * kHuge}).mappings.size(), 1u);
}

TEST_F(PageCountsTest, APartOfABlockIsNoHugePage) {
  set_block(kPresent | kExclusive, 0);
  const PagePass pass = walk({kHuge, 2 * kHuge - kPage});
  ASSERT_EQ(pass.mappings.size(), 1u);
  EXPECT_EQ(pass.mappings[0].most, 1u);
}

TEST_F(PageCountsTest, WithoutKpagecountSharedPagesStayUnknown) {
  capabilities.pfn_visible = true;
  view.set_words(kPagemap, {{513, kPresent | 40}});
  view.set_words("/proc/kpagecount", {{40, 5}});
  const PagePass pass = walk({kHuge, 2 * kHuge});
  ASSERT_EQ(pass.mappings.size(), 1u);
  EXPECT_EQ(pass.mappings[0].most, kAnyNumber);
}

TEST_F(PageCountsTest, AKpagecountThatCannotBeOpenedIsUnknownToo) {
  see_frames();
  view.set_words(kPagemap, {{513, kPresent | 40}});
  const PagePass pass = walk({kHuge, 2 * kHuge});
  ASSERT_EQ(pass.mappings.size(), 1u);
  EXPECT_TRUE(is_run(pass.mappings[0], 513, 514, 2, kAnyNumber));
}

TEST_F(PageCountsTest, BehindAScanOnlyPresentPagesAreRead) {
  capabilities.pagemap_scan = true;
  view.set_words(kPagemap, {{514, kPresent | kExclusive}, {4 * 512, kPresent | kExclusive}});
  view.set_scan(kPagemap, {{514 * kPage, 515 * kPage, page_is::kPresent},
                           {4 * kHuge, 4 * kHuge + kPage, page_is::kPresent}});
  const PagePass pass = walk({kHuge, 8 * kHuge});
  ASSERT_EQ(pass.mappings.size(), 2u);
  EXPECT_EQ(reads_of(kPagemap), 2);
}

TEST_F(PageCountsTest, AScanSaysWhatIsHuge) {
  capabilities.pagemap_scan = true;
  set_block(kPresent | kExclusive, 0);
  view.set_scan(kPagemap, {{kHuge, 2 * kHuge, page_is::kPresent}});
  EXPECT_EQ(walk({kHuge, 2 * kHuge}).mappings.size(), 1u);
  view.set_scan(kPagemap, {{kHuge, 2 * kHuge, page_is::kPresent | page_is::kHuge}});
  EXPECT_EQ(walk({kHuge, 2 * kHuge}).mappings.size(), 2u);
}

TEST_F(PageCountsTest, WhereThePlainReadsFailTheScanStillStands) {
  capabilities.pagemap_scan = true;
  view.set_words(kPagemap, {{513, kPresent}}, 1);  // the plain read ends at once
  view.set_scan(kPagemap, {{513 * kPage, 514 * kPage, page_is::kPresent}});
  const PagePass pass = walk({kHuge, 2 * kHuge});
  EXPECT_EQ(pass.runs.size(), 1u);
  EXPECT_TRUE(pass.mappings.empty());
}

TEST_F(PageCountsTest, WhatNobodyAskedForIsNotCounted) {
  view.set_words(kPagemap, {{513, kPresent | kExclusive}});
  PageReader reader{view, capabilities, PageGeometry{}};
  auto file = view.open(KernelRoot::proc, "7/pagemap");
  PagePass pass;
  EXPECT_TRUE(reader.walk(*file, std::vector<Range>{{kHuge, 2 * kHuge}}, pass).ok());
  EXPECT_TRUE(pass.mappings.empty());
}

}  // namespace
}  // namespace smaps_audit
