// SPDX-License-Identifier: Apache-2.0
// How long a series runs, and what it asks for (docs/method.md §6).
#include <gtest/gtest.h>

#include "collect/sampler.h"
#include "tests/unit/audit/evidence.h"

namespace smaps_audit {
namespace {

using namespace evidence;  // NOLINT(google-build-using-namespace)

constexpr std::uint64_t kLow = 16 * kHuge;

SampleProcess short_process() {
  SampleProcess process;
  process.vmas = {resident_vma(kLow, 4 * kHuge)};
  process.vmas[0].rss = 3 * kHuge;
  process.has_numa = true;
  return process;
}

TEST(ProcessSeries, IsNotPlannedWithoutASuspect) {
  SampleProcess process;
  process.vmas = {resident_vma(kLow, 4 * kHuge)};
  process.audit();
  EXPECT_TRUE(process.series_steps.empty());
}

TEST(ProcessSeries, EndsWithTheFirstReadThatFits) {
  SampleProcess process = short_process();
  process.before = [](SampleProcess& self, Moment moment) {
    if (moment == Moment::smaps) self.vmas[0].rss = 4 * kHuge;
  };
  EXPECT_EQ(process.audit().verdict, Verdict::consistent);
  EXPECT_EQ(process.series_steps, std::vector<unsigned>{1});
}

TEST(ProcessSeries, EndsWithAReadThatFitsLate) {
  SampleProcess process = short_process();
  unsigned reads = 0;
  process.before = [&reads](SampleProcess& self, Moment moment) {
    if (moment == Moment::smaps && ++reads == 23) self.vmas[0].rss = 4 * kHuge;
  };
  EXPECT_EQ(process.audit().verdict, Verdict::consistent);
  EXPECT_EQ(process.series_steps, std::vector<unsigned>{23});
}

TEST(ProcessSeries, ASleeperThatWakesUpNeedsTheLongSeries) {
  SampleProcess process = short_process();
  process.asleep = true;
  unsigned passes = 0;
  process.before = [&passes](SampleProcess& self, Moment moment) {
    if (moment == Moment::pass && ++passes == 3) self.asleep = false;
  };
  const Finding finding = k01_finding(process.audit());
  EXPECT_EQ(finding.brackets, kSeriesSteps);
  EXPECT_EQ(finding.basis, Basis::series);
}

TEST(ProcessSeries, IsNeverCutShortForACapture) {
  SampleProcess process;
  process.vmas = {resident_vma(kLow, 4 * kHuge)};
  process.options.full_series = true;
  process.audit();
  EXPECT_EQ(process.series_steps, std::vector<unsigned>{kSeriesSteps});
  process.asleep = true;
  process.audit();
  EXPECT_EQ(process.series_steps, std::vector<unsigned>{kSeriesSteps});
}

TEST(ProcessSeries, OfSuspectsComesBeforeThatOfTheTotals) {
  SampleProcess process = short_process();
  process.has_rollup = true;
  std::vector<bool> whole;
  process.before = [&whole](SampleProcess&, Moment moment) {
    if (moment == Moment::listing) whole.push_back(true);
  };
  process.audit();
  EXPECT_EQ(process.series_steps.size(), 2u);
  EXPECT_EQ(whole.size(), 1u);
}

TEST(ProcessSeries, ReadsNumaMapsOnlyAsOftenAsItIsNeeded) {
  SampleProcess process = short_process();
  unsigned reads = 0;
  process.before = [&reads](SampleProcess&, Moment moment) {
    if (moment == Moment::numa) ++reads;
  };
  process.audit();
  EXPECT_EQ(process.series_steps, std::vector<unsigned>{kSeriesSteps});
  EXPECT_EQ(reads, kNumaMapsSteps);
}

TEST(ProcessSeries, LeavesAVmaOutThatPlainReadsCanNotAfford) {
  // The shadow of a sanitizer: no pass of the screen covered it, and none of a series tries to.
  SampleProcess process;
  process.vmas = {resident_vma(kLow, kHuge), resident_vma(std::uint64_t{1} << 44, kHuge)};
  process.vmas[1].range.last += std::uint64_t{1} << 43;
  process.vmas[1].covered = false;
  const ProcessReport report = process.audit();
  EXPECT_EQ(report.verdict, Verdict::inconclusive);
  EXPECT_EQ(report.reason, "address_space");
  EXPECT_EQ(report.open_bytes, process.vmas[1].range.length());
  process.scan = process.capabilities.pagemap_scan = true;
  EXPECT_EQ(process.audit().verdict, Verdict::consistent);
}

/// Unmapped while smaps is read and mapped again by the time of status, as memfd-secret does it.
TEST(ProcessSeries, KnowsNothingOfThePagesOfAVmaThatWasGoneAndIsBack) {
  const std::uint64_t start = kLow + 8 * kHuge;
  SampleProcess process;
  process.vmas = {resident_vma(kLow, kHuge), resident_vma(start, 4 * kHuge)};
  process.vmas[1].runs = {};
  process.vmas[1].rss = 0;
  process.vm_rss = 0;  // in the screen, so that there is a series
  process.reads_first = [](unsigned) { return false; };
  unsigned reads = 0;
  process.before = [&](SampleProcess& self, Moment moment) {
    if (moment == Moment::listing) self.vm_rss.reset();
    if (moment == Moment::smaps) self.vmas[1].in_smaps = ++reads != 1;
    if (moment == Moment::status) self.vmas[1] = resident_vma(start, 4 * kHuge);
  };
  EXPECT_TRUE(process.audit().findings.empty());
  EXPECT_EQ(process.series_steps, std::vector<unsigned>{2});
}

/// A thread that was preempted inside munmap: the VMA is gone, its pages are counted still.
TEST(ProcessSeries, ConfirmsMoreVmRssThanTheWalkOnlyOfASleeper) {
  SampleProcess process;
  process.vmas = {resident_vma(kLow, kHuge)};
  process.vm_rss = 3 * kHuge;
  EXPECT_TRUE(process.audit().findings.empty());
  EXPECT_TRUE(process.series_steps.empty());
  process.asleep = true;
  EXPECT_EQ(only_finding(process.audit()).check, "I4");
}

TEST(ProcessSeries, WalksOnlyTheSuspects) {
  KernelCapabilities capabilities;
  ProcessAudit audit{capabilities, kPages, {}};
  const SampleVma good = resident_vma(kLow, kHuge);
  const SampleVma bad = resident_vma(kLow + 4 * kHuge, kHuge);
  SmapsText text;
  text.records = {record_of(good.range, kHuge), record_of(bad.range, 0)};
  const PagePass pass = pass_of({good.range, bad.range}, {good.runs[0], bad.runs[0]});
  audit.on_chunk({text, pass, pass, 0});
  audit.on_sweep_end({});
  EXPECT_EQ(audit.known_page(), kLow / kPage);
  const SeriesPlan plan = audit.plan_series();
  EXPECT_TRUE(plan.wanted);
  EXPECT_FALSE(plan.whole_mm);
  const auto ranges = audit.watched_ranges();
  ASSERT_EQ(ranges.size(), 1u);
  EXPECT_EQ(ranges[0], bad.range);
  EXPECT_FALSE(audit.has_findings());
}

TEST(ProcessSeries, WhatItProvedStaysWhenTheNextOneIsBrokenOff) {
  KernelCapabilities capabilities;
  ProcessAudit audit{capabilities, kPages, {}};
  const SampleVma bad = resident_vma(kLow, 4 * kHuge);
  SmapsText text;
  text.records = {record_of(bad.range, 0)};
  const PagePass pass = pass_of({bad.range}, {bad.runs[0]});
  audit.on_chunk({text, pass, pass, 0});
  audit.on_rollup(rollup_of(0));
  audit.on_sweep_end({});
  ASSERT_TRUE(audit.plan_series().wanted);
  audit.on_pass(pass, nullptr);
  for (unsigned step = 1; step <= kSeriesSteps; ++step) {
    audit.on_series_smaps(text);
    audit.on_series_status({}, {});
    audit.on_pass(pass, nullptr);
    std::optional<Stillness> still;
    if (step == 3 || step == 8 || step == 24) still = Stillness{};
    EXPECT_EQ(audit.on_step(step, still) == StepDecision::done, step == kSeriesSteps);
  }
  ASSERT_TRUE(audit.plan_series().whole_mm);
  audit.on_listing(text);
  audit.on_pass(pass, nullptr);
  EXPECT_TRUE(audit.has_findings());
  ProcessReport report;
  audit.conclude(report);
  EXPECT_EQ(report.verdict, Verdict::finding);
  EXPECT_EQ(report.findings.size(), 1u);
}

TEST(ProcessSeries, AsksPagemapScanAndPlainReadsBoth) {
  SampleProcess process = short_process();
  process.scan = true;
  process.asleep = true;
  process.vmas[0].rss = 4 * kHuge;
  process.vmas[0].plain = {pages_in(process.vmas[0].range, 0, 1024)};
  process.options.full_series = true;
  const Finding finding = only_finding(process.audit());
  EXPECT_EQ(finding.interface, Interface::pagemap);
  EXPECT_EQ(finding.check, "I12");
  EXPECT_EQ(finding.error_bytes, 2 * kHuge);
}

/// A process whose first huge page is on its way to another node in the first `moves` walks.
SampleProcess migrating(unsigned moves) {
  SampleProcess process;
  process.vmas = {resident_vma(kLow, 2 * kHuge)};
  const Range range = process.vmas[0].range;
  process.before = [range, moves, walks = 0U](SampleProcess& self, Moment moment) mutable {
    if (moment != Moment::sweep_pass && moment != Moment::pass) return;
    const std::uint8_t first = walks++ < moves ? page_state::kSwapped : kOwned;
    self.vmas[0].runs = {pages_in(range, 0, 512, first), pages_in(range, 512, 1024)};
  };
  return process;
}

TEST(ProcessSeries, LooksAgainAtWhatWasOnlyPossible) {
  SampleProcess process = migrating(4);
  const ProcessReport report = process.audit();
  EXPECT_EQ(report.verdict, Verdict::consistent);
  EXPECT_EQ(report.open_bytes, 0U);
}

TEST(ProcessSeries, LooksAgainThreeTimesAndThenSaysHowMuchCouldHide) {
  SampleProcess process = migrating(1000);
  const ProcessReport report = process.audit();
  EXPECT_EQ(report.verdict, Verdict::inconclusive);
  EXPECT_EQ(report.reason, "maybe_pages");
  EXPECT_EQ(report.open_bytes, kHuge);
  EXPECT_EQ(process.series_steps, std::vector<unsigned>{4});
}

TEST(ProcessSeries, LooksOnlyOnceMoreAtASleeper) {
  SampleProcess process = migrating(1000);
  process.asleep = true;
  EXPECT_EQ(process.audit().verdict, Verdict::inconclusive);
  EXPECT_EQ(process.series_steps, std::vector<unsigned>{1});
}

}  // namespace
}  // namespace smaps_audit
