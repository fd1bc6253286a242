// SPDX-License-Identifier: Apache-2.0
#include "audit/page_notes.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/unit/audit/evidence.h"

namespace smaps_audit {
namespace {

using namespace evidence;

constexpr std::uint64_t kLow = 64 * kHuge;

TEST(PageNotes, WhatIsCalledExclusiveAndMappedTwiceIsK09) {
  const std::vector<MappingRun> runs = {
      {.first = 0, .last = 256, .fewest = 1, .most = 1, .exclusive = true},
      {.first = 256, .last = 512, .fewest = 2, .most = 2, .exclusive = true}};
  const auto note = exclusive_note(runs, {0, kHuge}, "x", kPages);
  ASSERT_TRUE(note.has_value());
  EXPECT_EQ(note->defect, "K09");
  EXPECT_EQ(note->error_bytes, kHuge / 2);
  EXPECT_EQ(note->reported_bytes, kHuge);
  EXPECT_EQ(note->direction, Direction::excess);
}

TEST(PageNotes, WithoutACountNothingIsSaidOfExclusive) {
  const std::vector<MappingRun> runs = {{.first = 0, .last = 512, .exclusive = true},
                                        {.first = 512, .last = 600, .fewest = 2}};
  EXPECT_FALSE(exclusive_note(runs, {0, kHuge}, "x", kPages).has_value());
}

TEST(PageNotes, OneWalkThatSawItMappedOnceIsEnoughForSilence) {
  const std::vector<MappingRun> runs = {
      {.first = 0, .last = 512, .fewest = 1, .most = 2, .exclusive = true}};
  EXPECT_FALSE(exclusive_note(runs, {0, kHuge}, "x", kPages).has_value());
}

TEST(PageNotes, CountersThatThreadsKeepAreK05WithinTheirBound) {
  KernelCapabilities capabilities;
  capabilities.rss_counters = RssCounterError::per_thread;
  const Interval resident{10 * kHuge, 10 * kHuge};
  const auto note = cached_counter_note(8 * kHuge, resident, capabilities, 4 * kHuge);
  ASSERT_TRUE(note.has_value());
  EXPECT_EQ(note->defect, "K05");
  EXPECT_EQ(note->error_bytes, 2 * kHuge);
  EXPECT_FALSE(cached_counter_note(8 * kHuge, resident, capabilities, kHuge).has_value());
  EXPECT_FALSE(cached_counter_note(10 * kHuge - kPage, resident, capabilities, kHuge).has_value());
  EXPECT_FALSE(cached_counter_note(11 * kHuge, resident, capabilities, 4 * kHuge).has_value());
  capabilities.rss_counters = RssCounterError::bounded;
  const auto by_cpu = cached_counter_note(8 * kHuge, resident, capabilities, 4 * kHuge);
  ASSERT_TRUE(by_cpu.has_value());
  EXPECT_EQ(by_cpu->defect, "K06");
  EXPECT_EQ(by_cpu->direction, Direction::deficit);
  const std::uint64_t most = resident.high;
  EXPECT_FALSE(cached_counter_note(most + 2 * kHuge, resident, capabilities, 9 * kHuge));
  const auto excess = cached_counter_note(most + 5 * kHuge, resident, capabilities, 9 * kHuge);
  ASSERT_TRUE(excess.has_value());
  EXPECT_EQ(excess->direction, Direction::excess);
  EXPECT_EQ(excess->error_bytes, 5 * kHuge);
  capabilities.rss_counters = RssCounterError::exact;
  EXPECT_FALSE(cached_counter_note(8 * kHuge, resident, capabilities, 4 * kHuge).has_value());
}

TEST(PageNotes, TheHugeZeroPageOfAFileIsK11) {
  const Range range{kHuge, 3 * kHuge};
  constexpr std::uint8_t kFlagged = page_state::kPresent | page_state::kFile | page_state::kZero;
  const PagePass before = pass_of({range}, {pages_in(range, 0, 512, kFlagged)});
  const PagePass after = pass_of({range}, {pages_in(range, 0, 256, kFlagged)});
  EXPECT_EQ(zero_file_bytes(before, after, range, kPages), 256 * kPage);
  const PagePass fileless =
      pass_of({range}, {pages_in(range, 0, 512, page_state::kPresent | page_state::kZero)});
  EXPECT_EQ(zero_file_bytes(before, fileless, range, kPages), 0u);
  const auto note = huge_zero_note(256 * kPage, false, range, "");
  ASSERT_TRUE(note.has_value());
  EXPECT_EQ(note->defect, "K11");
  EXPECT_EQ(note->error_bytes, 256 * kPage);
  EXPECT_FALSE(huge_zero_note(0, false, range, "").has_value());
}

/// Asleep, 4 000 pages in the counters, 96 more that smaps counts and that are in `state`.
SampleProcess process_with_lost_pages(std::uint8_t state) {
  SampleProcess process;
  process.vmas = {resident_vma(kLow, 8 * kHuge)};
  const Range range = process.vmas[0].range;
  process.vmas[0].runs = {pages_in(range, 0, 4000), pages_in(range, 4000, 4096, state)};
  process.vm_rss = 4000 * kPage;
  process.asleep = true;
  return process;
}

constexpr std::uint8_t kPoisoned =
    page_state::kSwapped | page_state::kRealSwap | page_state::kPoisoned;

TEST(PageNotes, AnExcessOfPoisonedPagesIsK08) {
  SampleProcess process = process_with_lost_pages(kPoisoned);
  const Finding finding = only_finding(process.audit());
  EXPECT_EQ(finding.defect, "K08");
  EXPECT_EQ(finding.direction, Direction::excess);
  EXPECT_EQ(finding.error_bytes, 96 * kPage);
  process.vmas[0].runs[1].state = page_state::kSwapped | page_state::kRealSwap;
  EXPECT_FALSE(only_finding(process.audit()).defect.has_value());
}

TEST(PageNotes, ARollupThatRepeatsPoisonedPagesIsK08Too) {
  SampleProcess process = process_with_lost_pages(kPoisoned);
  process.has_rollup = true;
  const ProcessReport report = process.audit();
  ASSERT_EQ(report.findings.size(), 2u);
  const Finding& rollup = report.findings[1];
  EXPECT_EQ(rollup.interface, Interface::smaps_rollup);
  EXPECT_EQ(rollup.defect, "K08");
  EXPECT_EQ(rollup.error_bytes, 96 * kPage);
  ASSERT_EQ(rollup.vmas.size(), 1u);
  EXPECT_EQ(rollup.vmas[0].start, process.vmas[0].range.first);
  // What is beyond it has another reason.
  process.rollup_rss = 4097 * kPage;
  EXPECT_FALSE(process.audit().findings.at(1).defect.has_value());
}

TEST(PageNotes, WithoutFramesTheCountersTellOfPoisonedPages) {
  SampleProcess process = process_with_lost_pages(page_state::kSwapped);
  process.hardware_corrupted = 96 * kPage;
  const Finding finding = only_finding(process.audit());
  EXPECT_EQ(finding.defect, "K08");
  EXPECT_EQ(finding.check, "I4");
  EXPECT_EQ(finding.interface, Interface::smaps);
  EXPECT_EQ(finding.direction, Direction::excess);
  EXPECT_EQ(finding.error_bytes, 96 * kPage);
  EXPECT_TRUE(finding.exact);
  ASSERT_EQ(finding.vmas.size(), 1u);
  EXPECT_EQ(finding.vmas[0].error_bytes, 96 * kPage);

  process.hardware_corrupted = 95 * kPage;
  EXPECT_TRUE(process.audit().findings.empty());
  process.hardware_corrupted.reset();
  EXPECT_TRUE(process.audit().findings.empty());
  process.hardware_corrupted = 96 * kPage;
  process.capabilities.rss_counters = RssCounterError::per_thread;
  EXPECT_TRUE(process.audit().findings.empty());
  process.capabilities.rss_counters = RssCounterError::exact;
  process.asleep = false;
  EXPECT_TRUE(process.audit().findings.empty());
}

}  // namespace
}  // namespace smaps_audit
