// SPDX-License-Identifier: Apache-2.0
#include "collect/page_reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "tests/support/fake_kernel_view.h"

namespace smaps_audit {
namespace {

constexpr const char* kPagemap = "/proc/7/pagemap";
constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kHuge = 2097152;
constexpr std::uint64_t kPresent = std::uint64_t{1} << 63;
constexpr std::uint64_t kSwap = std::uint64_t{1} << 62;
constexpr std::uint64_t kFile = std::uint64_t{1} << 61;
constexpr std::uint64_t kExclusive = std::uint64_t{1} << 56;

class PageReaderTest : public testing::Test {
 protected:
  PagePass walk(const std::vector<Range>& vmas, const RangeSet& without_file = {}) {
    PageReader reader{view, capabilities, PageGeometry{}};
    auto file = view.open(KernelRoot::proc, "7/pagemap");
    EXPECT_TRUE(file.ok());
    PagePass pass;
    const Result<Ok> walked = reader.walk(*file, vmas, pass, without_file);
    error = walked ? std::nullopt : std::optional{walked.error()};
    return pass;
  }
  /// What the reader makes of one word.
  std::uint8_t state_of(std::uint64_t word, std::uint64_t page = 3) {
    view.set_words(kPagemap, {{page, word}});
    const PagePass pass = walk({{page * kPage, (page + 1) * kPage}});
    return pass.runs.empty() ? 0 : pass.runs[0].state;
  }
  [[nodiscard]] std::size_t preads() const {
    return static_cast<std::size_t>(
        std::count(view.calls().begin(), view.calls().end(), std::string{"pread "} + kPagemap));
  }
  FakeKernelView view;
  KernelCapabilities capabilities;
  std::optional<Error> error;
};

using PageReaderPlain = PageReaderTest;
using PageReaderScan = PageReaderTest;

TEST_F(PageReaderPlain, ReadsOneBlockInOneCall) {
  view.set_words(kPagemap, {});
  walk({{kHuge, 4 * kHuge}});
  EXPECT_EQ(preads(), 3u);
}

TEST_F(PageReaderPlain, CutsAtBlockBordersAndJoinsVmasOfOneBlock) {
  view.set_words(kPagemap, {{513, kPresent}, {600, kPresent}, {1024, kPresent}});
  const PagePass pass = walk({{kHuge + kPage, kHuge + 2 * kPage},
                              {kHuge + 88 * kPage, kHuge + 89 * kPage},
                              {2 * kHuge - kPage, 2 * kHuge + kPage}});
  EXPECT_EQ(preads(), 2u);
  ASSERT_EQ(pass.runs.size(), 3u);
  EXPECT_EQ(pass.runs[2].first, 1024u);
  EXPECT_TRUE(std::is_sorted(pass.runs.begin(), pass.runs.end(),
                             [](const PageRun& a, const PageRun& b) { return a.first < b.first; }));
  EXPECT_EQ(pass.covered.count(), 4 * kPage);
  EXPECT_FALSE(pass.by_scan);
}

TEST_F(PageReaderPlain, CoversOnlyTheVmasAndNotTheHolesBetween) {
  view.set_words(kPagemap, {});
  const PagePass pass = walk({{kPage, 2 * kPage}, {3 * kPage, 4 * kPage}});
  EXPECT_FALSE(pass.covered.contains({kPage, 4 * kPage}));
  EXPECT_TRUE(pass.covered.contains({3 * kPage, 4 * kPage}));
}

TEST_F(PageReaderPlain, AnEndOfFileIsAnAddressSpaceThatIsGone) {
  view.set_words(kPagemap, {}, 10);
  walk({{0, 20 * kPage}});
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, ErrorCode::gone);
}

TEST_F(PageReaderPlain, GoesOnAfterAShortRead) {
  int calls = 0;
  view.set_words(kPagemap, {{15, kPresent}}, 10);
  view.on_call([&](std::string_view operation, const std::string&) {
    if (operation == "pread" && ++calls == 2) view.set_words(kPagemap, {{15, kPresent}});
  });
  const PagePass pass = walk({{0, 20 * kPage}});
  EXPECT_FALSE(error);
  ASSERT_EQ(pass.runs.size(), 1u);
  EXPECT_EQ(pass.runs[0].first, 15u);
}

TEST_F(PageReaderPlain, NothingToWalkIsNoCall) {
  view.set_words(kPagemap, {});
  walk({});
  EXPECT_EQ(preads(), 0u);
}

TEST_F(PageReaderPlain, TellsWhatTheBitsSayWithoutPrivilege) {
  EXPECT_EQ(state_of(0), 0);
  EXPECT_EQ(state_of(kPresent), page_state::kPresent);
  EXPECT_EQ(state_of(kPresent | kFile), page_state::kPresent | page_state::kFile);
  EXPECT_EQ(state_of(kPresent | kExclusive), page_state::kPresent | page_state::kExclusive);
  EXPECT_EQ(state_of(kSwap), page_state::kSwapped);
}

TEST_F(PageReaderPlain, KnowsZeroPagesByTheirFrames) {
  capabilities.pfn_visible = true;
  capabilities.zero_pfn = 77;
  capabilities.huge_zero_pfns = Interval{512, 1023};
  EXPECT_EQ(state_of(kPresent | 77), page_state::kPresent | page_state::kZero);
  EXPECT_EQ(state_of(kPresent | 512), page_state::kPresent | page_state::kZero);
  EXPECT_EQ(state_of(kPresent | 1023), page_state::kPresent | page_state::kZero);
  EXPECT_EQ(state_of(kPresent | 1024), page_state::kPresent | page_state::kNotZero);
  EXPECT_EQ(state_of(kPresent), page_state::kPresent);  // no frame is told
}

TEST_F(PageReaderPlain, WithoutAHugeZeroSpecimenOnlyAFrameThatLiesLikeOneMayBeIt) {
  // The huge zero folio is aligned and PMD-mapped: page n of its range has frame n of the folio.
  capabilities.pfn_visible = true;
  capabilities.zero_pfn = 77;
  EXPECT_EQ(state_of(kPresent | (5 * 512 + 3), 3), page_state::kPresent);
  EXPECT_EQ(state_of(kPresent | (5 * 512 + 4), 3), page_state::kPresent | page_state::kNotZero);
}

TEST_F(PageReaderPlain, RealSwapIsToldFromSpecialEntriesByItsType) {
  capabilities.pfn_visible = true;
  const auto entry = [](std::uint64_t type, std::uint64_t offset) {
    return kSwap | offset << 5 | type;
  };
  EXPECT_EQ(state_of(entry(1, 9)), page_state::kSwapped | page_state::kRealSwap);
  EXPECT_EQ(state_of(entry(22, 9)), page_state::kSwapped | page_state::kRealSwap);
  EXPECT_EQ(state_of(entry(23, 9)), page_state::kSwapped);
  EXPECT_EQ(state_of(kSwap), page_state::kSwapped);
  capabilities.pfn_visible = false;
  EXPECT_EQ(state_of(entry(1, 9)), page_state::kSwapped);
}

TEST_F(PageReaderPlain, APoisonedPageIsNotResident) {
  capabilities.pfn_visible = capabilities.kpageflags = true;
  view.set_words("/proc/kpageflags", {{9, std::uint64_t{1} << 19}, {10, 0}});
  EXPECT_EQ(state_of(kSwap | 9 << 5 | 30),
            page_state::kSwapped | page_state::kRealSwap | page_state::kPoisoned);
  EXPECT_EQ(state_of(kSwap | 10 << 5 | 30), page_state::kSwapped);
}

TEST_F(PageReaderScan, TellsWhatTheCategoriesSay) {
  capabilities.pagemap_scan = true;
  const auto state = [&](std::uint64_t categories) {
    view.set_scan(kPagemap, {{kPage, 2 * kPage, categories}});
    const PagePass pass = walk({{kPage, 2 * kPage}});
    EXPECT_TRUE(pass.by_scan);
    return pass.runs.empty() ? 0 : static_cast<int>(pass.runs[0].state);
  };
  EXPECT_EQ(state(page_is::kPresent), page_state::kPresent | page_state::kNotZero);
  EXPECT_EQ(state(page_is::kPresent | page_is::kPfnZero), page_state::kPresent | page_state::kZero);
  EXPECT_EQ(state(page_is::kPresent | page_is::kFile),
            page_state::kPresent | page_state::kFile | page_state::kNotZero);
  EXPECT_EQ(state(page_is::kPresent | page_is::kHuge),
            page_state::kPresent | page_state::kHuge);  // K12
  EXPECT_EQ(state(page_is::kSwapped), page_state::kSwapped);
  EXPECT_EQ(state(page_is::kHuge), 0);  // HUGE comes with an empty PMD too
  capabilities.scan_flags_huge_zero = true;
  EXPECT_EQ(state(page_is::kPresent | page_is::kHuge),
            page_state::kPresent | page_state::kHuge | page_state::kNotZero);
}

TEST_F(PageReaderScan, GoesAcrossSmallHolesInOneCall) {
  capabilities.pagemap_scan = true;
  view.set_scan(kPagemap, {});
  const PagePass pass =
      walk({{kPage, 2 * kPage}, {16 * kHuge, 17 * kHuge}, {200 * kHuge, 201 * kHuge}});
  const auto scans =
      std::count(view.calls().begin(), view.calls().end(), std::string{"pagemap_scan "} + kPagemap);
  EXPECT_EQ(scans, 2);
  EXPECT_TRUE(pass.covered.contains({kPage, 17 * kHuge}));
  EXPECT_FALSE(pass.covered.contains({17 * kHuge, 18 * kHuge}));
}

TEST_F(PageReaderScan, AsksForFileWhereverAFileMayBeMapped) {
  capabilities.pagemap_scan = true;
  view.set_scan(kPagemap, {{kHuge, 20 * kHuge, page_is::kPresent | page_is::kFile}});
  // A file, a hole, a large VMA without a file, a hole, a small one without a file, a file.
  const std::vector<Range> vmas = {{kHuge, 2 * kHuge},
                                   {3 * kHuge, 5 * kHuge},
                                   {6 * kHuge, 6 * kHuge + kPage},
                                   {7 * kHuge, 8 * kHuge}};
  RangeSet without_file;
  without_file.append(vmas[1]);
  without_file.append(vmas[2]);
  PagePass pass = walk(vmas, without_file);
  EXPECT_FALSE(error);
  EXPECT_TRUE(pass.covered.contains({kHuge, 8 * kHuge}));
  constexpr unsigned kNoFile = page_state::kPresent | page_state::kNotZero;
  ASSERT_EQ(pass.runs.size(), 3u);
  EXPECT_EQ(pass.runs[0].state, kNoFile | page_state::kFile);
  EXPECT_EQ(pass.runs[0].last, 3 * kHuge / kPage) << "the hole may hold a file by now";
  EXPECT_EQ(pass.runs[1].state, kNoFile);
  EXPECT_EQ(pass.runs[1].last, (6 * kHuge + kPage) / kPage);
  EXPECT_EQ(pass.runs[2].state, kNoFile | page_state::kFile);
  EXPECT_EQ(pass.runs[2].last, 8 * kHuge / kPage);

  pass = walk({vmas[2], vmas[3]}, without_file);
  ASSERT_EQ(pass.runs.size(), 1u) << "a small one is not worth a call of its own";
  EXPECT_EQ(pass.runs[0].state, kNoFile | page_state::kFile);
}

TEST_F(PageReaderScan, BoundsEachCallAndGoesOnWhereItStopped) {
  capabilities.pagemap_scan = true;
  std::vector<PageRegion> regions;
  for (std::uint64_t i = 0; i < 2000; ++i) {
    regions.push_back({2 * i * kPage, (2 * i + 1) * kPage, page_is::kPresent});
  }
  view.set_scan(kPagemap, regions);
  const PagePass pass = walk({{0, 1024 * kHuge}});
  EXPECT_FALSE(error);
  EXPECT_EQ(pass.runs.size(), 2000u);
  EXPECT_GE(
      std::count(view.calls().begin(), view.calls().end(), std::string{"pagemap_scan "} + kPagemap),
      8);
}

TEST_F(PageReaderScan, AsksTheWordsOfSwappedRunsWherePfnsAreVisible) {
  capabilities.pagemap_scan = capabilities.pfn_visible = true;
  view.set_scan(kPagemap, {{510 * kPage, 514 * kPage, page_is::kSwapped}});
  view.set_words(kPagemap, {{510, kSwap | 9 << 5 | 1},
                            {511, kSwap | 9 << 5 | 31},
                            {512, kSwap | 9 << 5 | 1},
                            {513, kPresent}});
  const PagePass pass = walk({{0, 2 * kHuge}});
  ASSERT_EQ(pass.runs.size(), 4u);
  EXPECT_EQ(pass.runs[0].state, page_state::kSwapped | page_state::kRealSwap);
  EXPECT_EQ(pass.runs[1].state, page_state::kSwapped);
  EXPECT_EQ(pass.runs[3].state, page_state::kPresent);
  EXPECT_EQ(preads(), 2u);  // never across a PMD border
}

TEST_F(PageReaderScan, ALyingScanIsMalformed) {
  capabilities.pagemap_scan = true;
  view.set_scan(kPagemap,
                {{4 * kPage, 5 * kPage, page_is::kPresent}, {kPage, 2 * kPage, page_is::kPresent}});
  walk({{0, kHuge}});
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, ErrorCode::malformed);
}

TEST_F(PageReaderPlain, AGuardIsAsIfNothingWereThere) {
  constexpr std::uint64_t kGuard = std::uint64_t{1} << 58;
  EXPECT_NE(state_of(kSwap), 0);
  EXPECT_EQ(state_of(kSwap | kGuard), 0);
  EXPECT_NE(state_of(kPresent | kGuard), 0);
}

TEST_F(PageReaderScan, AsksForGuardsWhereTheKernelTellsThem) {
  capabilities.pagemap_scan = true;
  view.set_scan(kPagemap, {{kPage, 2 * kPage, page_is::kSwapped | page_is::kGuard}});
  capabilities.scan_tells_guard = true;
  EXPECT_TRUE(walk({{kPage, 2 * kPage}}).runs.empty());
  view.set_scan(kPagemap, {{kPage, 2 * kPage, page_is::kSwapped}});
  EXPECT_EQ(walk({{kPage, 2 * kPage}}).runs.size(), 1u);
}

}  // namespace
}  // namespace smaps_audit
