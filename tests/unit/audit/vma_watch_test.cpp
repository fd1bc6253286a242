// SPDX-License-Identifier: Apache-2.0
#include "audit/vma_watch.h"

#include <gtest/gtest.h>

#include "tests/unit/audit/evidence.h"

namespace smaps_audit {
namespace {

using namespace evidence;  // NOLINT(google-build-using-namespace)

constexpr Range kVma{kHuge, 2 * kHuge};
const VmaTraits kAnonymous{.anonymous_private = true};

PagePass first_pages(std::uint64_t count) { return pass_of({kVma}, {pages_in(kVma, 0, count)}); }

NumaMapsRecord numa_of(std::uint64_t pages) {
  NumaMapsRecord record;
  record.start = kVma.first;
  record.total_pages = pages;
  record.anon_pages = pages;
  return record;
}

/// A pass before, then steps in which every witness says the same.
VmaWatch watched(std::uint64_t walk_pages, std::uint64_t smaps_pages, unsigned steps) {
  VmaWatch watch{kVma, kAnonymous, false};
  watch.on_pass(first_pages(walk_pages), nullptr, kPages);
  for (unsigned step = 0; step < steps; ++step) {
    watch.on_record(record_of(kVma, smaps_pages * kPage), kPages);
    watch.on_pass(first_pages(walk_pages), nullptr, kPages);
    EXPECT_TRUE(watch.end_step());
  }
  return watch;
}

TEST(PageEvidence, KeepsWhatIsInAllAndWhatIsInAnyPass) {
  PageEvidence evidence;
  EXPECT_FALSE(evidence.seen());
  evidence.add(classify(first_pages(10), kVma, kAnonymous, kPages));
  evidence.add(classify(pass_of({kVma}, {pages_in(kVma, 5, 20)}), kVma, kAnonymous, kPages));
  EXPECT_EQ(evidence.bytes(kPages), (Interval{5 * kPage, 20 * kPage}));
  evidence.add({});
  EXPECT_EQ(evidence.bytes(kPages), (Interval{0, 20 * kPage}));
}

TEST(VmaWatch, SaysNothingBeforeItsFirstStep) {
  VmaWatch watch{kVma, kAnonymous, false};
  watch.on_pass(first_pages(10), nullptr, kPages);
  watch.on_record(record_of(kVma, 0), kPages);
  EXPECT_FALSE(watch.contradictions(kPages).any());
}

TEST(VmaWatch, SeesNoContradictionWhereAllAgree) {
  EXPECT_FALSE(watched(10, 10, 24).contradictions(kPages).any());
}

TEST(VmaWatch, SeesADeficitAndAnExcess) {
  EXPECT_EQ(watched(10, 9, 3).contradictions(kPages).smaps_walk, Contradiction::deficit);
  EXPECT_EQ(watched(10, 11, 3).contradictions(kPages).smaps_walk, Contradiction::excess);
}

TEST(VmaWatch, OneReadThatFitsEndsTheContradiction) {
  VmaWatch watch = watched(10, 9, 3);
  watch.on_record(record_of(kVma, 10 * kPage), kPages);
  EXPECT_TRUE(watch.end_step());
  EXPECT_FALSE(watch.contradictions(kPages).any());
}

TEST(VmaWatch, OnePassWithoutThePagesEndsTheDeficit) {
  VmaWatch watch = watched(10, 9, 3);
  watch.on_pass(first_pages(9), nullptr, kPages);
  EXPECT_FALSE(watch.contradictions(kPages).any());
}

TEST(VmaWatch, OnePassWithMorePagesEndsTheExcess) {
  VmaWatch watch = watched(10, 11, 3);
  watch.on_pass(first_pages(11), nullptr, kPages);
  EXPECT_FALSE(watch.contradictions(kPages).any());
}

TEST(VmaWatch, IsAbsentInAStepWithoutItsRecord) {
  VmaWatch watch = watched(10, 9, 3);
  EXPECT_FALSE(watch.end_step());
  EXPECT_FALSE(watch.present());
  EXPECT_EQ(watch.steps(), 3u);
}

TEST(VmaWatch, IsAbsentInAStepWithOtherBounds) {
  VmaWatch watch = watched(10, 9, 3);
  watch.on_record(record_of({kVma.first, kVma.last + kPage}, 9 * kPage), kPages);
  EXPECT_FALSE(watch.end_step());
}

TEST(VmaWatch, ForgetsEverythingWhenItStartsAgain) {
  VmaWatch watch = watched(10, 9, 3);
  watch.restart({kVma.first, kVma.last + kPage}, kAnonymous);
  EXPECT_TRUE(watch.present());
  EXPECT_EQ(watch.steps(), 0u);
  EXPECT_EQ(watch.restarts(), 1u);
  EXPECT_FALSE(watch.walk().seen());
  EXPECT_FALSE(watch.smaps_rss().seen());
  EXPECT_EQ(watch.range().last, kVma.last + kPage);
}

TEST(VmaWatch, TwoReadsInOneStepBothCount) {
  // A VMA that grows while smaps is read is told twice.
  VmaWatch watch = watched(10, 9, 3);
  watch.on_record(record_of(kVma, 9 * kPage), kPages);
  watch.on_record(record_of(kVma, 10 * kPage), kPages);
  EXPECT_TRUE(watch.end_step());
  EXPECT_FALSE(watch.contradictions(kPages).any());
  EXPECT_EQ(watch.steps(), 4u);
}

TEST(VmaWatch, ABrokenIdentityMustBeThereInEveryRead) {
  VmaWatch watch{kVma, kAnonymous, false};
  SmapsRecord broken = record_of(kVma, 10 * kPage);
  broken.values.set(SmapsField::pss, 11 * kPage);
  watch.on_pass(first_pages(10), nullptr, kPages);
  for (int step = 0; step < 2; ++step) {
    watch.on_record(broken, kPages);
    watch.on_pass(first_pages(10), nullptr, kPages);
    watch.end_step();
  }
  EXPECT_TRUE(watch.contradictions(kPages).identity);
  watch.on_record(record_of(kVma, 10 * kPage), kPages);
  watch.end_step();
  EXPECT_FALSE(watch.contradictions(kPages).any());
}

TEST(VmaWatch, NumaMapsIsAWitnessOfItsOwn) {
  VmaWatch watch = watched(10, 10, 3);
  for (int read = 0; read < 3; ++read) watch.on_numa(numa_of(9), kPages);
  EXPECT_EQ(watch.contradictions(kPages).numa_walk, Contradiction::deficit);
  EXPECT_EQ(watch.contradictions(kPages).smaps_numa, Contradiction::excess);
  EXPECT_TRUE(watch.contradictions(kPages).any());
  EXPECT_FALSE(watch.contradictions(kPages).any_without_numa());
}

TEST(VmaWatch, NumaMapsMustHaveTheVmaInEveryStep) {
  VmaWatch watch = watched(10, 10, 3);
  watch.on_numa(numa_of(9), kPages);
  watch.on_numa(numa_of(9), kPages);
  EXPECT_FALSE(watch.contradictions(kPages).any());
}

TEST(VmaWatch, EightReadsOfNumaMapsDoForALongSeries) {
  VmaWatch watch = watched(10, 9, 24);
  for (int read = 0; read < 8; ++read) watch.on_numa(numa_of(10), kPages);
  EXPECT_EQ(watch.contradictions(kPages).smaps_numa, Contradiction::deficit);
  EXPECT_EQ(watch.contradictions(kPages).numa_walk, Contradiction::none);
}

TEST(VmaWatch, PagesThatMayMigrateExplainANumaMapsThatIsShort) {
  VmaWatch watch{kVma, kAnonymous, false};
  const PagePass pass =
      pass_of({kVma}, {pages_in(kVma, 0, 8), pages_in(kVma, 8, 10, page_state::kSwapped)});
  watch.on_pass(pass, nullptr, kPages);
  watch.on_record(record_of(kVma, 10 * kPage), kPages);
  watch.on_numa(numa_of(8), kPages);
  watch.on_pass(pass, nullptr, kPages);
  watch.end_step();
  EXPECT_FALSE(watch.contradictions(kPages).any());
}

TEST(VmaWatch, HugetlbVdsoAndDaxLinesOfNumaMapsAreNoWitness) {
  const auto with = [](const VmaTraits& traits, const NumaMapsRecord& record) {
    VmaWatch watch{kVma, traits, false};
    watch.on_pass(first_pages(10), nullptr, kPages);
    watch.on_record(record_of(kVma, 10 * kPage), kPages);
    watch.on_numa(record, kPages);
    watch.end_step();
    return watch.contradictions(kPages).any();
  };
  EXPECT_TRUE(with(kAnonymous, numa_of(1)));
  NumaMapsRecord huge = numa_of(1);
  huge.huge = true;
  EXPECT_FALSE(with(kAnonymous, huge));
  EXPECT_FALSE(with(VmaTraits{.special = true}, numa_of(0)));
  EXPECT_FALSE(with(VmaTraits{.has_file = true}, numa_of(1)));
  EXPECT_FALSE(with(VmaTraits{.has_file = true}, numa_of(0)));
}

TEST(VmaWatch, ANumaMapsLineOfAnotherVmaIsNotItsOwn) {
  VmaWatch watch = watched(10, 10, 1);
  NumaMapsRecord other = numa_of(1);
  other.start = kVma.first + kPage;
  watch.on_numa(other, kPages);
  EXPECT_FALSE(watch.contradictions(kPages).any());
}

TEST(VmaWatch, ScanAndPlainReadsAreComparedPageByPage) {
  VmaWatch watch{kVma, kAnonymous, false};
  const PagePass scan = first_pages(10);
  const PagePass other = pass_of({kVma}, {pages_in(kVma, 1, 11)});
  watch.on_pass(scan, &other, kPages);
  watch.on_record(record_of(kVma, 10 * kPage), kPages);
  watch.on_pass(scan, &other, kPages);
  watch.end_step();
  // Ten pages each, but not the same ones.
  EXPECT_EQ(watch.contradictions(kPages).smaps_walk, Contradiction::none);
  EXPECT_EQ(watch.contradictions(kPages).smaps_plain, Contradiction::none);
  EXPECT_NE(watch.contradictions(kPages).walk_plain, Contradiction::none);
}

TEST(VmaWatch, AnUnsurePageOfThePlainReadsContradictsNoScan) {
  VmaWatch watch{kVma, kAnonymous, false};
  const PagePass scan =
      pass_of({kVma}, {pages_in(kVma, 0, 10, page_state::kPresent | page_state::kNotZero)});
  const PagePass plain = pass_of({kVma}, {pages_in(kVma, 0, 10, page_state::kPresent)});
  watch.on_pass(scan, &plain, kPages);
  watch.on_record(record_of(kVma, 10 * kPage), kPages);
  watch.on_pass(scan, &plain, kPages);
  watch.end_step();
  EXPECT_FALSE(watch.contradictions(kPages).any());
}

}  // namespace
}  // namespace smaps_audit
