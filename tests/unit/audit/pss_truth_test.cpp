// SPDX-License-Identifier: Apache-2.0
#include "audit/pss_truth.h"

#include <gtest/gtest.h>

#include "tests/unit/audit/evidence.h"

namespace smaps_audit {
namespace {

using namespace evidence;

RangeSet set_of(std::initializer_list<Range> ranges) {
  RangeSet set;
  for (const Range& range : ranges) set.append(range);
  return set;
}

MappingRun run(std::uint64_t first, std::uint64_t last, std::uint32_t fewest, std::uint32_t most,
               bool exclusive = false) {
  return {.first = first, .last = last, .fewest = fewest, .most = most, .exclusive = exclusive};
}

Interval pss(const PageSets& sets, const std::vector<MappingRun>& runs, bool no_pmd = false) {
  return pss_bytes(sets, runs, no_pmd, kPages);
}

TEST(PssTruth, ExclusivePagesCountInFull) {
  const PageSets sets{set_of({{0, 10}}), set_of({{0, 10}})};
  EXPECT_EQ(pss(sets, {run(0, 10, 1, 1)}), (Interval{10 * kPage, 10 * kPage}));
}

TEST(PssTruth, SharedPagesCountAsTheKernelDividesThem) {
  const PageSets sets{set_of({{0, 3}}), set_of({{0, 3}})};
  // 3 × floor(2^24 / 3) / 2^12, in whole bytes around it.
  EXPECT_EQ(pss(sets, {run(0, 3, 3, 3)}), (Interval{4095, 4096}));
}

TEST(PssTruth, WhatBothPassesDisagreeOnIsAnInterval) {
  const PageSets sets{set_of({{0, 8}}), set_of({{0, 8}})};
  EXPECT_EQ(pss(sets, {run(0, 8, 2, 4)}), (Interval{2 * kPage, 4 * kPage}));
}

TEST(PssTruth, SharedByUnknownManyAddsUpToHalf) {
  const PageSets sets{set_of({{0, 8}}), set_of({{0, 8}})};
  EXPECT_EQ(pss(sets, {run(0, 8, 2, kAnyNumber)}), (Interval{0, 4 * kPage}));
}

TEST(PssTruth, OfWhatNothingIsKnownAnythingIsPossible) {
  const PageSets sets{set_of({{0, 8}, {20, 24}}), set_of({{0, 8}, {20, 24}})};
  EXPECT_EQ(pss(sets, {run(2, 4, 1, 1), run(22, 30, 1, 1)}), (Interval{4 * kPage, 12 * kPage}));
}

TEST(PssTruth, PossiblePagesWidenOnlyUpwards) {
  const PageSets sets{set_of({{0, 4}}), set_of({{0, 8}})};
  EXPECT_EQ(pss(sets, {run(0, 8, 2, 2)}), (Interval{2 * kPage, 4 * kPage}));
}

TEST(PssTruth, OneRunMayServeSeveralRanges) {
  const PageSets sets{set_of({{0, 2}, {4, 6}, {8, 9}}), set_of({{0, 2}, {4, 6}, {8, 9}})};
  EXPECT_EQ(pss(sets, {run(0, 12, 1, 1)}), (Interval{5 * kPage, 5 * kPage}));
}

TEST(PssTruth, WithoutAnyPmdExclusiveSpeaksForEachPage) {
  const PageSets sets{set_of({{0, 8}}), set_of({{0, 8}})};
  const std::vector<MappingRun> claimed = {run(0, 4, 1, kAnyNumber, true),
                                           run(4, 8, 1, kAnyNumber, false)};
  EXPECT_EQ(pss(sets, claimed), (Interval{0, 8 * kPage}));
  EXPECT_EQ(pss(sets, claimed, true), (Interval{4 * kPage, 6 * kPage}));
}

TEST(PssTruth, JoiningKeepsWhatBothSaw) {
  const std::vector<MappingRun> a = {run(0, 10, 1, 1, true), run(20, 30, 3, 3)};
  const std::vector<MappingRun> b = {run(5, 25, 2, 2), run(25, 40, 3, 3)};
  const std::vector<MappingRun> joined = join_mappings(a, b);
  ASSERT_EQ(joined.size(), 3u);
  EXPECT_EQ(joined[0].first, 5u);
  EXPECT_EQ(joined[0].fewest, 1u);
  EXPECT_EQ(joined[0].most, 2u);
  EXPECT_FALSE(joined[0].exclusive);
  EXPECT_EQ(joined[1].most, 3u);
  EXPECT_EQ(joined[2].first, 25u);
  EXPECT_EQ(joined[2].last, 30u);
}

TEST(PssTruth, RunsOfOneVmaAreFound) {
  const std::vector<MappingRun> runs = {run(0, 10, 1, 1), run(10, 20, 2, 2), run(30, 40, 1, 1)};
  EXPECT_EQ(mappings_in(runs, {10, 30}).size(), 1u);
  EXPECT_EQ(mappings_in(runs, {9, 31}).size(), 3u);
  EXPECT_TRUE(mappings_in(runs, {20, 30}).empty());
}

TEST(PssTruth, ARecordThatOwnsToNoPmdAndToAllItsPagesHidesNone) {
  SmapsRecord record = record_of({0, 8 * kPage}, 4 * kPage);
  EXPECT_TRUE(maps_no_pmd(record, {4 * kPage, 4 * kPage}));
  EXPECT_FALSE(maps_no_pmd(record, {4 * kPage, 8 * kPage}));
  EXPECT_FALSE(maps_no_pmd(record, {8 * kPage, 8 * kPage}));
  record.values.set(SmapsField::anon_huge_pages, kHuge);
  EXPECT_FALSE(maps_no_pmd(record, {4 * kPage, 4 * kPage}));
}

}  // namespace
}  // namespace smaps_audit
