// SPDX-License-Identifier: Apache-2.0
// The table of docs/method.md §4, row by row.
#include "audit/page_class.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/unit/audit/evidence.h"

namespace smaps_audit {
namespace {

using namespace evidence;  // NOLINT(google-build-using-namespace)

constexpr std::uint8_t kPresent = page_state::kPresent;
constexpr std::uint8_t kFile = page_state::kFile;
constexpr std::uint8_t kZero = page_state::kZero;
constexpr std::uint8_t kNotZero = page_state::kNotZero;
constexpr std::uint8_t kSwapped = page_state::kSwapped;
constexpr std::uint8_t kHugeMapped = page_state::kHuge;

constexpr Range kHugeVma{8 * kHuge, 9 * kHuge};        // holds one aligned PMD range
constexpr Range kSmallVma{kPage, kPage + 16 * kPage};  // holds none

const VmaTraits kAnonymous{.anonymous_private = true};
const VmaTraits kFileVma{.has_file = true};
const VmaTraits kMixed{.has_file = true, .mixedmap = true};

enum class Class { no, maybe, sure };

/// How the one page at the start of `vma` is classed.
Class class_in(unsigned state, const VmaTraits& traits, Range vma, bool by_scan = false) {
  const PagePass pass =
      pass_of({vma}, {pages_in(vma, 0, 1, static_cast<std::uint8_t>(state))}, by_scan);
  const PageSets sets = classify(pass, vma, traits, kPages);
  EXPECT_LE(sets.sure.count(), sets.possible.count());
  if (sets.sure.count() == 1) return Class::sure;
  return sets.possible.count() == 1 ? Class::maybe : Class::no;
}

TEST(PageClass, APageWithoutAnEntryIsNotResident) {
  EXPECT_EQ(class_in(0, kAnonymous, kHugeVma), Class::no);
}

TEST(PageClass, AFilePageOfAFileIsSure) {
  EXPECT_EQ(class_in(kPresent | kFile, kFileVma, kHugeVma), Class::sure);
  EXPECT_EQ(class_in(kPresent | kFile, kFileVma, kSmallVma), Class::sure);
}

TEST(PageClass, AFilePageInAMixedMapIsSureAndAnythingElseThereIsMaybe) {
  EXPECT_EQ(class_in(kPresent | kFile, kMixed, kHugeVma), Class::sure);
  EXPECT_EQ(class_in(kPresent, kMixed, kHugeVma), Class::maybe);
  EXPECT_EQ(class_in(kPresent | kNotZero, kMixed, kHugeVma), Class::maybe);
}

TEST(PageClass, AFilePageInAnonymousMemoryMayBeTheHugeZeroFolio) {
  EXPECT_EQ(class_in(kPresent | kFile, kAnonymous, kHugeVma), Class::maybe);
  EXPECT_EQ(class_in(kPresent | kFile | kZero, kAnonymous, kHugeVma), Class::no);
  EXPECT_EQ(class_in(kPresent | kFile | kNotZero, kAnonymous, kHugeVma), Class::sure);
}

TEST(PageClass, AFilePageWhereNoPmdFitsIsNotTheHugeZeroFolio) {
  EXPECT_EQ(class_in(kPresent | kFile, kAnonymous, kSmallVma), Class::sure);
}

TEST(PageClass, AScanTellsThatAFilePageIsNotPmdMapped) {
  EXPECT_EQ(class_in(kPresent | kFile, kAnonymous, kHugeVma, true), Class::sure);
  EXPECT_EQ(class_in(kPresent | kFile | kHugeMapped, kAnonymous, kHugeVma, true), Class::maybe);
}

TEST(PageClass, AnExclusivePageIsSureWithoutAnyPrivilege) {
  EXPECT_EQ(class_in(kOwned, kAnonymous, kHugeVma), Class::sure);
  EXPECT_EQ(class_in(kOwned, kAnonymous, kSmallVma), Class::sure);
}

TEST(PageClass, ASharedAnonymousPageIsSureOnlyIfItIsKnownNotToBeZero) {
  EXPECT_EQ(class_in(kPresent, kAnonymous, kHugeVma), Class::maybe);
  EXPECT_EQ(class_in(kPresent, kAnonymous, kSmallVma), Class::maybe);
  EXPECT_EQ(class_in(kPresent | kNotZero, kAnonymous, kHugeVma), Class::sure);
  EXPECT_EQ(class_in(kPresent | kZero, kAnonymous, kHugeVma), Class::no);
}

/// How many of `runs` in a private mapping of a file are sure, if its record owns to `anonymous`.
std::uint64_t sure_copies(const std::vector<PageRun>& runs, std::uint64_t anonymous) {
  const VmaTraits traits{.has_file = true, .anonymous_bytes = anonymous};
  return classify(pass_of({kHugeVma}, runs), kHugeVma, traits, kPages).sure.count();
}

TEST(PageClass, ACopyOfAFilePageIsSureOnlyIfTheRecordOwnsToAllOfThem) {
  const std::vector<PageRun> copies = {pages_in(kHugeVma, 0, 10, kPresent | kNotZero)};
  EXPECT_EQ(sure_copies(copies, 0), 0u);
  EXPECT_EQ(sure_copies(copies, 9 * kPage), 0u);
  EXPECT_EQ(sure_copies(copies, 10 * kPage), 10u);
}

TEST(PageClass, ADevicesPagesAreNotSureBecauseTheRecordOwnsToOtherCopies) {
  // Ten pages of a device, which no walk counts, beside twelve exclusive copies, which are
  // Anonymous.
  const std::vector<PageRun> runs = {pages_in(kHugeVma, 0, 10, kPresent | kNotZero),
                                     pages_in(kHugeVma, 10, 22, kOwned | kNotZero)};
  EXPECT_EQ(sure_copies(runs, 12 * kPage), 12u);
  EXPECT_EQ(sure_copies(runs, 22 * kPage), 22u);
}

TEST(PageClass, ASwappedEntryIsMaybeUnlessItIsRealSwapOrPoison) {
  EXPECT_EQ(class_in(kSwapped, kAnonymous, kHugeVma), Class::maybe);
  EXPECT_EQ(class_in(kSwapped | page_state::kRealSwap, kAnonymous, kHugeVma), Class::no);
}

TEST(PageClass, ClassesEachPartOfARunThatCrossesAPmdBorder) {
  // Half a block, a whole one, half a block: only the whole one may be the huge zero folio.
  const Range vma{8 * kHuge - 256 * kPage, 9 * kHuge + 256 * kPage};
  const PagePass pass = pass_of({vma}, {pages_in(vma, 0, 1024, kPresent | kFile)});
  const PageSets sets = classify(pass, vma, kAnonymous, kPages);
  EXPECT_EQ(sets.possible.count(), 1024u);
  EXPECT_EQ(sets.sure.ranges(),
            (std::vector<Range>{{vma.first / kPage, 8 * 512}, {9 * 512, vma.last / kPage}}));
}

TEST(PageClass, CutsRunsAtTheBordersOfTheVma) {
  const Range vma{16 * kPage, 24 * kPage};
  const PagePass pass = pass_of({{0, 64 * kPage}}, {{0, 20, kOwned}, {22, 64, kOwned}});
  EXPECT_EQ(classify(pass, vma, kAnonymous, kPages).sure.ranges(),
            (std::vector<Range>{{16, 20}, {22, 24}}));
}

TEST(PageClass, SaysNothingOfAnEmptyPass) {
  const PageSets sets = classify(PagePass{}, kHugeVma, kAnonymous, kPages);
  EXPECT_TRUE(sets.sure.empty());
  EXPECT_TRUE(sets.possible.empty());
}

TEST(Traits, HugetlbPfnmapAndTheKernelsOwnPagesAreNotCompared) {
  SmapsRecord record = record_of(kHugeVma, 0);
  EXPECT_TRUE(traits_of(record).compared);
  for (const VmFlag flag : {VmFlag::hugetlb, VmFlag::pfnmap}) {
    record.flags.known = static_cast<std::uint32_t>(flag);
    EXPECT_FALSE(traits_of(record).compared);
  }
  EXPECT_FALSE(traits_of(record_of(kHugeVma, 0, "[vsyscall]")).compared);
  EXPECT_FALSE(
      traits_of(record_of({std::uint64_t{1} << 63, (std::uint64_t{1} << 63) + kPage}, 0)).compared);
}

TEST(Traits, VvarIsComparedOnceItIsNoDeviceMapping) {
  SmapsRecord record = record_of({0, 4 * kPage}, 0, "[vvar]");
  record.flags.known =
      static_cast<std::uint32_t>(VmFlag::pfnmap) | static_cast<std::uint32_t>(VmFlag::mixedmap);
  EXPECT_FALSE(traits_of(record).compared);
  record.flags.known = static_cast<std::uint32_t>(VmFlag::mixedmap);
  EXPECT_TRUE(traits_of(record).compared);
}

TEST(Traits, ComeFromHeaderAndFlags) {
  SmapsRecord record = record_of(kHugeVma, 0, "[vdso]");
  record.header.readable = record.header.writable = false;
  record.flags.known = static_cast<std::uint32_t>(VmFlag::uffd_minor) |
                       static_cast<std::uint32_t>(VmFlag::no_huge_page) |
                       static_cast<std::uint32_t>(VmFlag::mixedmap);
  const VmaTraits traits = traits_of(record);
  EXPECT_TRUE(traits.special);
  EXPECT_FALSE(traits.accessible);
  EXPECT_TRUE(traits.userfault);
  EXPECT_TRUE(traits.no_huge_page);
  EXPECT_TRUE(traits.mixedmap);
  EXPECT_TRUE(traits.anonymous_private);
  record.header.shared = true;
  EXPECT_FALSE(traits_of(record).anonymous_private);
  record.header.inode = 7;
  EXPECT_TRUE(traits_of(record).has_file);
}

TEST(PagesPerFault, AreOneForAnonymousMemoryUnlessLargeFoliosAreOn) {
  KernelCapabilities capabilities;
  EXPECT_EQ(pages_per_fault(kAnonymous, kHugeVma, capabilities, kPages), 1u);
  capabilities.anon_fault_pages = 16;
  EXPECT_EQ(pages_per_fault(kAnonymous, kHugeVma, capabilities, kPages), 16u);
  EXPECT_EQ(pages_per_fault(kAnonymous, {0, 4 * kPage}, capabilities, kPages), 4u);
}

TEST(PagesPerFault, OfAFileAreTheFaultAroundOrAWholePmd) {
  const KernelCapabilities capabilities;
  EXPECT_EQ(pages_per_fault(kFileVma, kSmallVma, capabilities, kPages), 16u);
  EXPECT_EQ(pages_per_fault(kFileVma, {0, 3 * kPage}, capabilities, kPages), 3u);
  EXPECT_EQ(pages_per_fault(kFileVma, kHugeVma, capabilities, kPages), 512u);
}

TEST(PmdRanges, AreAlignedAndWhollyInside) {
  EXPECT_EQ(aligned_pmd_pages({kHuge, 3 * kHuge}, kPages), (Range{512, 1536}));
  EXPECT_EQ(aligned_pmd_pages({kHuge + kPage, 3 * kHuge - kPage}, kPages).length(), 0u);
  EXPECT_EQ(aligned_pmd_pages({kHuge + kPage, 3 * kHuge}, kPages), (Range{1024, 1536}));
  EXPECT_EQ(aligned_pmd_pages({kPage, kHuge}, kPages).length(), 0u);
}

TEST(PmdRanges, CountAsFullOnlyIfEveryPageIsThere) {
  RangeSet present;
  present.append({512, 1024});
  present.append({1025, 2048});
  EXPECT_EQ(full_pmd_blocks(present, {0, 8 * kHuge}, kPages), 2u);  // 512…1023, 1536…2047
  EXPECT_EQ(full_pmd_blocks(present, {kHuge, 2 * kHuge}, kPages), 1u);
  EXPECT_EQ(full_pmd_blocks(present, {kHuge + kPage, 2 * kHuge}, kPages), 0u);
  EXPECT_EQ(full_pmd_blocks(RangeSet{}, {0, 8 * kHuge}, kPages), 0u);
}

TEST(ResidentBetween, TakesWhatBothSawAndWhatEitherSaw) {
  const Range vma{kHuge, 2 * kHuge};
  const PagePass before = pass_of({vma}, {pages_in(vma, 0, 10)});
  const PagePass after =
      pass_of({vma}, {pages_in(vma, 4, 8), pages_in(vma, 20, 22), pages_in(vma, 30, 31, kPresent)});
  EXPECT_EQ(resident_between(before, after, vma, kAnonymous, 0, kPages),
            (Interval{4 * kPage, 13 * kPage}));
}

TEST(ResidentBetween, SwapThatTheRecordOwnsToIsNotResident) {
  const Range vma{kHuge, 2 * kHuge};
  const PagePass pass = pass_of({vma}, {pages_in(vma, 0, 10), pages_in(vma, 10, 30, kSwapped)});
  const auto with_swap = [&](std::uint64_t swap) {
    return resident_between(pass, pass, vma, kAnonymous, swap, kPages);
  };
  EXPECT_EQ(with_swap(0), (Interval{10 * kPage, 30 * kPage}));
  EXPECT_EQ(with_swap(19 * kPage), (Interval{10 * kPage, 30 * kPage}));
  EXPECT_EQ(with_swap(20 * kPage), (Interval{10 * kPage, 10 * kPage}));
}

/// A page of a simulated kernel: what a walk shows, and whether a correct smaps counts it.
struct SimulatedPage {
  std::uint8_t shown = 0;
  bool counted = false;
};

SimulatedPage random_page(std::mt19937_64& random) {
  switch (random() % 8) {
    case 0: return {};
    case 1: return {kOwned, true};
    case 2: return {kPresent | kNotZero, true};
    case 3: return {kPresent | kZero, false};
    case 4: return {kPresent, random() % 2 == 0};  // unprivileged: zero or shared
    case 5: return {kSwapped, random() % 2 == 0};  // migrating, or swapped out
    case 6: return {kSwapped | page_state::kRealSwap, false};
    default: return {kPresent | kFile | kNotZero, true};
  }
}

TEST(ResidentBetween, HoldsWhatACorrectKernelSaysOfPagesThatDoNotMove) {
  std::mt19937_64 random{1};
  const Range vma{4 * kHuge + 7 * kPage, 6 * kHuge + 3 * kPage};
  for (int round = 0; round < 300; ++round) {
    PagePass pass = pass_of({vma}, {});
    std::uint64_t truth = 0;
    for (std::uint64_t page = vma.first / kPage; page < vma.last / kPage; ++page) {
      const SimulatedPage now = random_page(random);
      pass.append(page, page + 1, now.shown);
      truth += now.counted ? kPage : 0;
    }
    const Interval resident = resident_between(pass, pass, vma, kAnonymous, 0, kPages);
    ASSERT_LE(resident.low, truth);
    ASSERT_LE(truth, resident.high);
    ASSERT_LE(resident.high, vma.length());
  }
}

TEST(ResidentBetween, HoldsWhatACorrectKernelSaysWhilePagesComeOrGoOnce) {
  // Every page changes at most once, before or after the read between the passes.
  std::mt19937_64 random{2};
  const Range vma{4 * kHuge, 5 * kHuge};
  for (int round = 0; round < 300; ++round) {
    PagePass before = pass_of({vma}, {});
    PagePass after = pass_of({vma}, {});
    std::uint64_t said = 0;
    for (std::uint64_t page = vma.first / kPage; page < vma.last / kPage; ++page) {
      const SimulatedPage old_page = random_page(random);
      const SimulatedPage new_page = random() % 4 == 0 ? random_page(random) : old_page;
      before.append(page, page + 1, old_page.shown);
      after.append(page, page + 1, new_page.shown);
      said += (random() % 2 == 0 ? old_page : new_page).counted ? kPage : 0;
    }
    EXPECT_TRUE(resident_between(before, after, vma, kAnonymous, 0, kPages).contains(said));
  }
}

}  // namespace
}  // namespace smaps_audit
