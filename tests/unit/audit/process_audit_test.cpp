// SPDX-License-Identifier: Apache-2.0
// Verdicts, from samples to report (docs/method.md §3–§10).
#include "audit/process_audit.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "collect/sampler.h"
#include "tests/unit/audit/evidence.h"

namespace smaps_audit {
namespace {

using namespace evidence;  // NOLINT(google-build-using-namespace)

constexpr std::uint64_t kLow = 16 * kHuge;

/// A plain VMA of 8 MiB, and one that K01 hits: two of its four huge pages are left out.
SampleProcess k01_process() {
  SampleProcess process;
  process.vmas = {resident_vma(kLow, 4 * kHuge), resident_vma(kLow + 8 * kHuge, 4 * kHuge)};
  process.vmas[1].rss = 2 * kHuge;
  process.has_numa = true;
  process.has_rollup = true;
  return process;
}

TEST(ProcessAudit, AProcessOfWhichAllSayTheSameIsConsistent) {
  SampleProcess process;
  process.vmas = {resident_vma(kLow, 4 * kHuge), resident_vma(kLow + 8 * kHuge, kHuge)};
  process.has_numa = process.has_rollup = true;
  const ProcessReport report = process.audit();
  EXPECT_EQ(report.verdict, Verdict::consistent);
  EXPECT_TRUE(report.reason.empty());
  EXPECT_TRUE(report.findings.empty());
  EXPECT_EQ(report.open_bytes, 0u);
  EXPECT_EQ(report.vmas, 2u);
  EXPECT_EQ(report.audited_bytes, 5 * kHuge);
  EXPECT_EQ(report.reported.rss_bytes, 5 * kHuge);
  EXPECT_EQ(report.reported.rollup_rss_bytes, 5 * kHuge);
  EXPECT_EQ(report.reported.status_rss_bytes, 5 * kHuge);
  EXPECT_EQ(report.reported.numa_maps_bytes, 5 * kHuge);
  EXPECT_TRUE(process.series_steps.empty());
}

TEST(ProcessAudit, AProcessWithoutAnyVmaIsConsistent) {
  SampleProcess process;
  EXPECT_EQ(process.audit().verdict, Verdict::consistent);
}

TEST(ProcessAudit, WhatWasNotReadIsAbsentAndNeverZero) {
  SampleProcess process;
  process.vmas = {resident_vma(kLow, kHuge)};
  const ProcessReport report = process.audit();
  EXPECT_FALSE(report.reported.rollup_rss_bytes);
  EXPECT_FALSE(report.reported.numa_maps_bytes);
}

TEST(ProcessAudit, TheTruthOfASleeperHasNoWidth) {
  SampleProcess process;
  process.vmas = {resident_vma(kLow, 4 * kHuge)};
  process.asleep = true;
  EXPECT_EQ(process.audit().truth->rss, (Interval{4 * kHuge, 4 * kHuge}));
}

TEST(ProcessAudit, FindsK01InASleeper) {
  SampleProcess process = k01_process();
  process.asleep = true;
  process.vmas[1].accessible = false;
  const ProcessReport report = process.audit();
  EXPECT_EQ(report.verdict, Verdict::finding);
  EXPECT_EQ(process.series_steps, std::vector<unsigned>{kSeriesSteps});
  ASSERT_EQ(report.findings.size(), 8u);
  const Finding smaps = k01_finding(report);
  EXPECT_EQ(smaps.interface, Interface::smaps);
  EXPECT_EQ(smaps.direction, Direction::deficit);
  EXPECT_EQ(smaps.error_bytes, 2 * kHuge);
  EXPECT_TRUE(smaps.exact);
  EXPECT_EQ(smaps.defect, "K01");
  EXPECT_EQ(smaps.cause, Cause::mprotect);
  EXPECT_EQ(smaps.basis, Basis::asleep);
  EXPECT_EQ(smaps.brackets, kSeriesSteps);
  ASSERT_EQ(smaps.vmas.size(), 1u);
  EXPECT_EQ(smaps.vmas[0].start, kLow + 8 * kHuge);
  EXPECT_EQ(smaps.vmas[0].error_bytes, 2 * kHuge);
  for (const Finding& finding : report.findings) {
    EXPECT_EQ(finding.defect, "K01");
    EXPECT_EQ(finding.error_bytes, 2 * kHuge) << finding.field;
    EXPECT_TRUE(finding.exact) << finding.field;
    EXPECT_EQ(finding.expected.low - finding.reported_bytes, 2 * kHuge) << finding.field;
  }
  EXPECT_EQ(report.truth->rss, (Interval{8 * kHuge, 8 * kHuge}));
}

TEST(ProcessAudit, FindsK01InARunningProcessAfterTwentyFourSteps) {
  SampleProcess process = k01_process();
  process.threads = 8;
  process.faults = 100000;
  const ProcessReport report = process.audit();
  EXPECT_EQ(report.verdict, Verdict::finding);
  EXPECT_EQ(process.series_steps, (std::vector<unsigned>{kSeriesSteps, kSeriesSteps}));
  ASSERT_EQ(report.findings.size(), 8u);
  EXPECT_EQ(report.findings[0].cause, Cause::numa_hint);
  EXPECT_EQ(report.findings[0].basis, Basis::series);
  EXPECT_EQ(report.findings[0].brackets, kSeriesSteps);
  EXPECT_EQ(report.worst_suspect_steps, kSeriesSteps);
}

TEST(ProcessAudit, AFrozenTargetIsNamedAsSuch) {
  SampleProcess process = k01_process();
  process.asleep = true;
  process.options.frozen = true;
  for (const Finding& finding : process.audit().findings) EXPECT_EQ(finding.basis, Basis::frozen);
}

TEST(ProcessAudit, OfSharedHugePagesPssLacksTheShareOnly) {
  SampleProcess process = k01_process();
  process.asleep = true;
  process.vmas[1].runs = {pages_in(process.vmas[1].range, 0, process.vmas[1].range.length() / kPage,
                                   page_state::kPresent | page_state::kNotZero)};
  process.vmas[1].most_mappings = 2;
  process.vmas[1].rss = 0;
  for (const Finding& finding : process.audit().findings) {
    const std::uint64_t share = finding.field == "Pss" ? 2 : 1;
    EXPECT_EQ(finding.error_bytes, process.vmas[1].range.length() / share) << finding.field;
    EXPECT_EQ(finding.check, finding.interface == Interface::smaps_rollup ? "I3"
                             : share == 2                                 ? "I11"
                                                                          : "I7");
  }
}

TEST(ProcessAudit, OfPagesSharedByUnknownManyNothingIsSaidOfPss) {
  SampleProcess process = k01_process();
  process.asleep = true;
  process.vmas[1].runs = {pages_in(process.vmas[1].range, 0, process.vmas[1].range.length() / kPage,
                                   page_state::kPresent | page_state::kNotZero)};
  for (const Finding& finding : process.audit().findings) EXPECT_NE(finding.field, "Pss");
}

TEST(ProcessAudit, SumsTheVmasOfOneKindOfFinding) {
  SampleProcess process = k01_process();
  process.asleep = true;
  process.has_rollup = false;
  for (std::uint64_t i = 0; i < 100; ++i) {
    process.vmas.push_back(resident_vma(kLow + (20 + 4 * i) * kHuge, 2 * kHuge));
    process.vmas.back().rss = kHuge;
  }
  const Finding finding = k01_finding(process.audit());
  EXPECT_EQ(finding.vmas_total, 101u);
  ASSERT_EQ(finding.vmas.size(), kMaxListedVmas);
  EXPECT_EQ(finding.vmas[0].error_bytes, 2 * kHuge);  // the largest first
  EXPECT_EQ(finding.error_bytes, 102 * kHuge);
  EXPECT_TRUE(finding.exact);
}

TEST(ProcessAudit, AnUnknownDeficitIsReportedAsUnknown) {
  SampleProcess process = k01_process();
  process.asleep = true;
  process.has_rollup = false;
  process.vmas[1].rss = 4 * kHuge - 5 * kPage;
  const Finding finding = only_finding(process.audit());
  EXPECT_EQ(finding.error_bytes, 5 * kPage);
  EXPECT_FALSE(finding.defect);
  EXPECT_FALSE(finding.cause);
}

TEST(ProcessAudit, AnExcessIsReportedAsUnknown) {
  SampleProcess process = k01_process();
  process.asleep = true;
  process.has_rollup = false;
  process.vmas[1] = resident_vma(kLow + 8 * kHuge, 4 * kHuge);
  process.vmas[1].runs = {pages_in(process.vmas[1].range, 0, 512)};
  process.vmas[1].numa_pages = 512;
  const Finding finding = only_finding(process.audit());
  EXPECT_EQ(finding.direction, Direction::excess);
  EXPECT_EQ(finding.interface, Interface::smaps);
  EXPECT_EQ(finding.error_bytes, 3 * kHuge);
  EXPECT_FALSE(finding.defect);
}

TEST(ProcessAudit, FindsK03InARunningProcess) {
  SampleProcess process;
  process.vmas = {resident_vma(kLow, 8 * kHuge)};
  process.has_rollup = true;
  process.threads = 4;
  process.faults = 10;
  std::uint64_t reads = 0;
  process.before = [&reads](SampleProcess& self, Moment moment) {
    if (moment == Moment::rollup || moment == Moment::sweep_pass) {
      self.rollup_rss = 4 * kHuge - ++reads * kPage;
    }
  };
  const Finding finding = only_finding(process.audit());
  EXPECT_EQ(finding.interface, Interface::smaps_rollup);
  EXPECT_EQ(finding.defect, "K03");
  EXPECT_EQ(finding.direction, Direction::deficit);
  EXPECT_EQ(finding.basis, Basis::series);
}

TEST(ProcessAudit, ARollupThatWasShortOnceIsLetGo) {
  SampleProcess process;
  process.vmas = {resident_vma(kLow, 8 * kHuge)};
  process.has_rollup = true;
  process.rollup_rss = 4 * kHuge;
  process.before = [](SampleProcess& self, Moment moment) {
    if (moment == Moment::listing) self.rollup_rss.reset();
  };
  EXPECT_EQ(process.audit().verdict, Verdict::consistent);
  EXPECT_EQ(process.series_steps, std::vector<unsigned>{3});
}

TEST(ProcessAudit, PssOfExclusivePagesIsKnownToTheByte) {
  SampleProcess process;
  process.vmas = {resident_vma(kLow, 8 * kHuge)};
  process.asleep = true;
  const ProcessReport report = process.audit();
  ASSERT_TRUE(report.truth && report.truth->pss);
  EXPECT_EQ(*report.truth->pss, (Interval{8 * kHuge, 8 * kHuge}));
}

TEST(ProcessAudit, PssOfSharedPagesLiesBetweenWhatTheirMappingsAllow) {
  SampleProcess process;
  process.vmas = {resident_vma(kLow, 8 * kHuge)};
  process.vmas[0].runs = {
      pages_in(process.vmas[0].range, 0, 4096, page_state::kPresent | page_state::kNotZero)};
  process.vmas[0].most_mappings = 8;
  process.asleep = true;
  EXPECT_EQ(*process.audit().truth->pss, (Interval{kHuge, 4 * kHuge}));
  process.vmas[0].most_mappings = kAnyNumber;
  EXPECT_EQ(*process.audit().truth->pss, (Interval{0, 4 * kHuge}));
}

TEST(ProcessAudit, ARunningProcessHasAWiderPss) {
  SampleProcess process;
  process.vmas = {resident_vma(kLow, 8 * kHuge)};
  process.faults = 3;
  const ProcessReport report = process.audit();
  EXPECT_LT(report.truth->pss->low, 8 * kHuge);
  EXPECT_LE(report.truth->pss->high, report.truth->rss.high);
}

TEST(ProcessAudit, AVmRssThatNothingSupportsIsFound) {
  SampleProcess process;
  process.vmas = {resident_vma(kLow, 8 * kHuge)};
  process.vm_rss = 9 * kHuge;
  process.asleep = true;
  const Finding finding = only_finding(process.audit());
  EXPECT_EQ(finding.check, "I4");
  EXPECT_EQ(finding.interface, Interface::status);
  EXPECT_EQ(finding.error_bytes, kHuge);
}

TEST(ProcessAudit, ABoundedCounterErrorExcusesVmRss) {
  SampleProcess process;
  process.vmas = {resident_vma(kLow, 8 * kHuge)};
  process.vm_rss = 9 * kHuge;
  process.capabilities.rss_counters = RssCounterError::bounded;
  EXPECT_EQ(process.audit().verdict, Verdict::consistent);
}

TEST(ProcessAudit, NumaMapsIsAccusedOnlyAfterTheWholeSeries) {
  SampleProcess process;
  process.vmas = {resident_vma(kLow, 4 * kHuge)};
  process.vmas[0].numa_pages = 1024;
  process.has_numa = true;
  process.asleep = true;
  const Finding finding = only_finding(process.audit());
  EXPECT_EQ(finding.interface, Interface::numa_maps);
  EXPECT_EQ(finding.error_bytes, 2 * kHuge);
  EXPECT_EQ(process.series_steps, std::vector<unsigned>{kSeriesSteps});
}

TEST(ProcessAudit, ASleeperWhosePagesOthersTakeAndReturnIsLetGo) {
  // process_madvise(PAGEOUT) and process_vm_readv() from outside: no thread of it runs, no fault of
  // it is counted.
  SampleProcess process = k01_process();
  process.asleep = true;
  unsigned reads = 0;
  process.before = [&reads](SampleProcess& self, Moment moment) {
    if (moment == Moment::smaps && ++reads == kSeriesSteps) self.vmas[1].rss = 4 * kHuge;
  };
  EXPECT_EQ(process.audit().verdict, Verdict::consistent);
}

TEST(ProcessAudit, NumaMapsThatIsRightOnceIsLetGo) {
  SampleProcess process;
  process.vmas = {resident_vma(kLow, 4 * kHuge)};
  process.vmas[0].numa_pages = 1024;
  process.has_numa = true;
  process.asleep = true;
  unsigned reads = 0;
  process.before = [&reads](SampleProcess& self, Moment moment) {
    if (moment == Moment::numa && ++reads == kSeriesSteps) self.vmas[0].numa_pages = 2048;
  };
  EXPECT_EQ(process.audit().verdict, Verdict::consistent);
}

TEST(ProcessAudit, NumaMapsOfARunningProcessNeedsTheWholeSeries) {
  SampleProcess process;
  process.vmas = {resident_vma(kLow, 4 * kHuge)};
  process.vmas[0].numa_pages = 1024;
  process.has_numa = true;
  const Finding finding = only_finding(process.audit());
  EXPECT_EQ(finding.interface, Interface::numa_maps);
  EXPECT_EQ(finding.brackets, kSeriesSteps);
}

TEST(ProcessAudit, ABrokenIdentityIsNamedByItsField) {
  SampleProcess process = k01_process();
  process.vmas[1] = resident_vma(kLow + 8 * kHuge, 4 * kHuge);
  process.has_rollup = false;
  process.asleep = true;
  process.vmas[1].edit = [](SmapsRecord& record) {
    record.values.set(SmapsField::private_dirty, 4 * kHuge - kPage);
  };
  const Finding finding = only_finding(process.audit());
  EXPECT_EQ(finding.check, "I2.rss_parts");
  EXPECT_EQ(finding.basis, Basis::same_record);
  EXPECT_EQ(finding.error_bytes, kPage);
}

TEST(ProcessAudit, ALyingPartOfRssIsBlamedAndNotRss) {
  SampleProcess process;
  process.vmas = {resident_vma(kLow, 4 * kHuge), resident_vma(kLow + 8 * kHuge, 4 * kHuge)};
  process.asleep = process.has_rollup = process.has_numa = true;
  process.vmas[1].edit = [](SmapsRecord& record) {
    record.values.set(SmapsField::private_dirty, 4 * kHuge - 2 * kPage);
  };
  const Finding finding = only_finding(process.audit());
  EXPECT_EQ(finding.interface, Interface::smaps);
  EXPECT_EQ(finding.field, "Private_Dirty");
  EXPECT_FALSE(finding.against);
  EXPECT_EQ(finding.direction, Direction::deficit);
  EXPECT_EQ(finding.error_bytes, 2 * kPage);
  EXPECT_TRUE(finding.exact);
  ASSERT_EQ(finding.vmas.size(), 1u);
  EXPECT_EQ(finding.vmas[0].start, kLow + 8 * kHuge);
}

TEST(ProcessAudit, ABrokenRecordKeepsItsBasisUnderFreeze) {
  SampleProcess process;
  process.vmas = {resident_vma(kLow, 4 * kHuge)};
  process.asleep = process.has_rollup = true;
  process.options.frozen = true;
  process.vmas[0].edit = [](SmapsRecord& record) { record.values.set(SmapsField::locked, kPage); };
  const Finding finding = only_finding(process.audit());
  EXPECT_EQ(finding.check, "I2.locked");
  EXPECT_EQ(finding.field, "Locked");
  EXPECT_EQ(finding.basis, Basis::same_record);
}

TEST(ProcessAudit, ARunningProcessThatBreaksAnIdentityGetsOneSeriesOverAll) {
  SampleProcess process;
  process.vmas = {resident_vma(kLow, 4 * kHuge)};
  process.has_rollup = true;
  process.vmas[0].edit = [](SmapsRecord& record) {
    record.values.set(SmapsField::pss, 4 * kHuge - kPage);
  };
  const Finding finding = only_finding(process.audit());
  EXPECT_EQ(finding.field, "Pss");
  EXPECT_FALSE(finding.against);
  EXPECT_EQ(process.series_steps, std::vector<unsigned>{24});
}

TEST(ProcessAudit, AnUncoveredVmaIsResolvedByTheSeries) {
  SampleProcess process;
  process.vmas = {resident_vma(kLow, 4 * kHuge), resident_vma(kLow + 8 * kHuge, 4 * kHuge)};
  process.vmas[1].covered = false;
  process.asleep = true;
  const ProcessReport report = process.audit();
  EXPECT_EQ(report.verdict, Verdict::consistent);
  EXPECT_EQ(report.open_bytes, 0u);
  EXPECT_EQ(report.truth->rss, (Interval{8 * kHuge, 8 * kHuge}));
  EXPECT_EQ(process.series_steps.size(), 1u);
}

TEST(ProcessAudit, AnUncoveredVmaThatLiesIsFound) {
  SampleProcess process = k01_process();
  process.vmas[1].covered = false;
  process.asleep = true;
  process.has_rollup = false;
  const Finding finding = k01_finding(process.audit());
  EXPECT_EQ(finding.defect, "K01");
}

TEST(ProcessAudit, AVmaThatIsGoneBeforeItsSeriesLeavesItsSizeOpen) {
  SampleProcess process = k01_process();
  process.has_rollup = process.has_numa = false;
  process.before = [](SampleProcess& self, Moment moment) {
    if (moment == Moment::smaps) self.vmas[1].in_smaps = false;
  };
  const ProcessReport report = process.audit();
  EXPECT_EQ(report.verdict, Verdict::inconclusive);
  EXPECT_EQ(report.reason, "unstable");
  EXPECT_GE(report.open_bytes, 4 * kHuge);
  EXPECT_TRUE(report.findings.empty());
}

TEST(ProcessAudit, AVmaThatChangesItsSizeEveryStepIsGivenUpAfterThreeRestarts) {
  SampleProcess process = k01_process();
  process.has_rollup = process.has_numa = false;
  std::uint64_t reads = 0;
  process.before = [&reads](SampleProcess& self, Moment moment) {
    if (moment == Moment::smaps) self.vmas[1].range.last = kLow + 12 * kHuge + ++reads * kPage;
  };
  const ProcessReport report = process.audit();
  EXPECT_EQ(report.verdict, Verdict::inconclusive);
  EXPECT_EQ(report.reason, "unstable");
  EXPECT_TRUE(report.findings.empty());
  ASSERT_FALSE(process.series_steps.empty());
  EXPECT_LE(process.series_steps[0], 5u);
}

TEST(ProcessAudit, AVmaThatGrewOnceIsFollowed) {
  SampleProcess process = k01_process();
  process.has_rollup = false;
  std::uint64_t reads = 0;
  process.before = [&reads](SampleProcess& self, Moment moment) {
    if (moment == Moment::smaps && ++reads == 10) self.vmas[1].range.last += kPage;
  };
  const ProcessReport report = process.audit();
  EXPECT_EQ(report.verdict, Verdict::finding);
  ASSERT_FALSE(report.findings.empty());
  EXPECT_EQ(report.findings[0].error_bytes, 2 * kHuge);
  EXPECT_GE(report.findings[0].brackets, kSeriesSteps);
}

TEST(ProcessAudit, AVmaThatBecomesAnotherKindOfMemoryStartsAgain) {
  // First a file whose pages smaps leaves out, then, at the same place, anonymous memory that maps
  // the huge zero folio, which pagemap calls a file page (K11): nothing is wrong with that.
  SampleProcess process;
  process.vmas = {resident_vma(kLow, 4 * kHuge)};
  SampleVma& vma = process.vmas[0];
  vma.runs = {pages_in(vma.range, 0, 2048, page_state::kPresent | page_state::kFile)};
  vma.rss = 0;
  vma.numa_pages.reset();
  process.vm_rss = 0;
  vma.edit = [](SmapsRecord& record) { record.header.inode = 7; };
  process.before = [](SampleProcess& self, Moment moment) {
    if (moment == Moment::pass) self.vmas[0].edit = nullptr;
  };
  EXPECT_TRUE(process.audit().findings.empty());
}

TEST(ProcessAudit, ARecordThatIsToldTwiceWhileItGrowsIsOneVma) {
  // seq_file goes on behind the last end: a VMA that was merged meanwhile is told again, larger.
  const Range part{kLow + kHuge, kLow + 2 * kHuge};
  const Range merged{kLow, kLow + 4 * kHuge};
  for (const bool whole : {false, true}) {
    const KernelCapabilities capabilities;
    ProcessAudit audit{capabilities, kPages, {.full_series = whole}};
    SmapsText text;
    text.records = {record_of(part, 0), record_of(merged, 0)};
    const PagePass nothing;
    audit.on_chunk({text, nothing, nothing, 0});
    audit.on_sweep_end({});
    const SeriesPlan plan = audit.plan_series();
    ASSERT_TRUE(plan.wanted);
    EXPECT_EQ(plan.whole_mm, whole);
    if (whole) audit.on_listing(text);
    const std::span<const Range> ranges = audit.watched_ranges();
    ASSERT_EQ(ranges.size(), 1u);
    EXPECT_EQ(ranges[0], merged);
  }
}

TEST(ProcessAudit, PagesThatCanNotBeToldMakeItInconclusiveFromTwoMegabytesOn) {
  SampleProcess process;
  process.vmas = {resident_vma(kLow, 4 * kHuge)};
  const Range range = process.vmas[0].range;
  process.vmas[0].runs = {pages_in(range, 0, 1536),
                          pages_in(range, 1536, 2047, page_state::kPresent)};
  process.vmas[0].rss = 2047 * kPage;
  ProcessReport report = process.audit();
  EXPECT_EQ(report.verdict, Verdict::consistent);
  EXPECT_EQ(report.open_bytes, 511 * kPage);
  process.vmas[0].runs = {pages_in(range, 0, 1536),
                          pages_in(range, 1536, 2048, page_state::kPresent)};
  process.vmas[0].rss = 2048 * kPage;
  report = process.audit();
  EXPECT_EQ(report.verdict, Verdict::inconclusive);
  EXPECT_EQ(report.reason, "maybe_pages");
  EXPECT_EQ(report.open_bytes, kHuge);
}

TEST(ProcessAudit, TheTruthIsWidenedByTheFaultsOfEachBracket) {
  SampleProcess process;
  process.vmas = {resident_vma(kLow, kHuge)};
  process.vmas[0].runs = {pages_in(process.vmas[0].range, 0, 100)};
  process.vmas[0].rss = 100 * kPage;
  process.vmas[0].edit = [](SmapsRecord& record) {
    record.flags.known = static_cast<std::uint32_t>(VmFlag::no_huge_page);
  };
  process.faults = 7;
  process.threads = 3;
  const ProcessReport report = process.audit();
  EXPECT_EQ(report.truth->rss, (Interval{90 * kPage, 110 * kPage}));
}

TEST(ProcessAudit, AFaultCounterThatRunsBackwardsWidensToEverything) {
  SampleProcess process;
  process.vmas = {resident_vma(kLow, kHuge)};
  process.faults = UINT64_MAX;  // a difference below zero
  EXPECT_EQ(process.audit().truth->rss, (Interval{0, kHuge}));
}

TEST(ProcessAudit, NothingBoundsWhatOthersThatUseTheMmFaultIn) {
  SampleProcess process = k01_process();
  process.mm_shared = true;
  const Interval everything{0, 8 * kHuge};
  const ProcessReport report = process.audit();
  EXPECT_EQ(report.verdict, Verdict::finding);
  EXPECT_EQ(report.truth->rss, everything);
  EXPECT_EQ(report.truth->pss, everything);
}

TEST(ProcessAudit, AUserfaultVmaBoundsNothingWhileTheTargetRuns) {
  SampleProcess process;
  process.vmas = {resident_vma(kLow, kHuge)};
  process.vmas[0].runs = {pages_in(process.vmas[0].range, 0, 100)};
  process.vmas[0].rss = 100 * kPage;
  process.vmas[0].edit = [](SmapsRecord& record) {
    record.flags.known = static_cast<std::uint32_t>(VmFlag::uffd_missing);
  };
  EXPECT_EQ(process.audit().truth->rss, (Interval{0, kHuge}));
}

TEST(ProcessAudit, WithoutConfirmationEverySuspectIsAFinding) {
  SampleProcess process = k01_process();
  process.options.confirm = false;
  const Finding finding = only_finding(process.audit());
  EXPECT_EQ(finding.brackets, 1u);
  EXPECT_EQ(finding.error_bytes, 2 * kHuge);
  EXPECT_TRUE(process.series_steps.empty());
}

TEST(ProcessAudit, UnknownFieldsAreCounted) {
  SampleProcess process;
  process.vmas = {resident_vma(kLow, kHuge)};
  EXPECT_EQ(process.audit().unknown_fields, 0u);
}

TEST(ProcessAudit, AProcessThatFillsTheAddressSpaceOverflowsNothing) {
  SampleProcess process;
  process.vmas = {resident_vma(kPage, 4 * kHuge)};
  process.vmas[0].range = {kPage, (std::uint64_t{1} << 56) - kPage};
  process.faults = std::uint64_t{1} << 62;
  process.threads = 1000000;
  const ProcessReport report = process.audit();
  EXPECT_LE(report.truth->rss.low, report.truth->rss.high);
  EXPECT_LE(report.truth->rss.high, (std::uint64_t{1} << 56));
}

}  // namespace
}  // namespace smaps_audit
