// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/audit/evidence.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "collect/sampler.h"

namespace smaps_audit::evidence {
namespace {

void set_agreeing(SmapsValues& values, std::uint64_t rss) {
  using Field = SmapsField;
  for (const Field field : {Field::rss, Field::pss, Field::private_dirty, Field::anonymous,
                            Field::referenced, Field::pss_dirty}) {
    values.set(field, rss);
  }
  for (const Field field : {Field::shared_clean, Field::shared_dirty, Field::private_clean,
                            Field::anon_huge_pages, Field::swap, Field::locked}) {
    values.set(field, 0);
  }
}

}  // namespace

SmapsRecord record_of(Range bytes, std::uint64_t rss, std::string_view name) {
  SmapsRecord record;
  record.header.start = bytes.first;
  record.header.end = bytes.last;
  record.header.readable = true;
  record.header.writable = true;
  record.header.name = name;
  record.values.set(SmapsField::size, bytes.length());
  set_agreeing(record.values, rss);
  record.has_vm_flags = true;
  return record;
}

SmapsRecord rollup_of(std::uint64_t rss) {
  SmapsRecord record;
  record.header.name = "[rollup]";
  set_agreeing(record.values, rss);
  return record;
}

PagePass pass_of(const std::vector<Range>& covered, const std::vector<PageRun>& runs,
                 bool by_scan) {
  PagePass pass;
  pass.by_scan = by_scan;
  for (const Range& range : covered) pass.covered.append(range);
  for (const PageRun& run : runs) pass.append(run.first, run.last, run.state);
  return pass;
}

PageRun pages_in(Range bytes, std::uint64_t first, std::uint64_t last, std::uint8_t state) {
  return {bytes.first / kPage + first, bytes.first / kPage + last, state};
}

SampleVma resident_vma(std::uint64_t start, std::uint64_t bytes) {
  SampleVma vma;
  vma.range = {start, start + bytes};
  vma.runs = {pages_in(vma.range, 0, bytes / kPage)};
  vma.rss = bytes;
  vma.numa_pages = bytes / kPage;
  return vma;
}

void SampleProcess::happens(Moment moment) {
  if (before) before(*this, moment);
}

PagePass SampleProcess::pass(bool plain, bool of_the_screen) const {
  PagePass pass;
  pass.by_scan = scan && !plain;
  for (const SampleVma& vma : vmas) {
    if (of_the_screen && !vma.covered) continue;
    pass.covered.append(vma.range);
    for (const PageRun& run : plain&& vma.plain ? *vma.plain : vma.runs) {
      pass.append(run.first, run.last, run.state);
      const bool once = (run.state & page_state::kExclusive) != 0;
      pass.append_mappings({.first = run.first,
                            .last = run.last,
                            .fewest = once ? 1u : 2u,
                            .most = once ? 1u : vma.most_mappings,
                            .exclusive = once});
    }
  }
  return pass;
}

SmapsText SampleProcess::smaps() const {
  SmapsText text;
  for (const SampleVma& vma : vmas) {
    if (!vma.in_smaps) continue;
    SmapsRecord record = record_of(vma.range, vma.rss, vma.name);
    record.header.readable = record.header.writable = vma.accessible;
    if (vma.edit) vma.edit(record);
    text.records.push_back(record);
  }
  return text;
}

NumaMapsText SampleProcess::numa() const {
  NumaMapsText text;
  for (const SampleVma& vma : vmas) {
    if (!vma.numa_pages) continue;
    NumaMapsRecord record;
    record.start = vma.range.first;
    record.policy = "default";
    record.anon_pages = record.dirty_pages = record.total_pages = *vma.numa_pages;
    record.nodes = 1;
    text.records.push_back(record);
  }
  return text;
}

std::uint64_t SampleProcess::walked() const {
  std::uint64_t pages = 0;
  for (const SampleVma& vma : vmas) {
    for (const PageRun& run : vma.runs) pages += run.last - run.first;
  }
  return pages * kPage;
}

std::uint64_t SampleProcess::summed() const {
  std::uint64_t sum = 0;
  for (const SampleVma& vma : vmas) sum += vma.in_smaps ? vma.rss : 0;
  return sum;
}

StatusNumbers SampleProcess::status() const {
  StatusNumbers numbers;
  numbers.vm_rss = vm_rss.value_or(walked());
  numbers.rss_anon = numbers.vm_rss;
  numbers.rss_file = 0;
  numbers.rss_shmem = 0;
  numbers.threads = threads;
  std::uint64_t size = 0;
  for (const SampleVma& vma : vmas) size += vma.range.length();
  numbers.vm_size = size;
  return numbers;
}

ProcStatm SampleProcess::statm() const {
  return {.size_pages = *status().vm_size / kPage,
          .resident_pages = statm_rss.value_or(vm_rss.value_or(walked())) / kPage,
          .shared_pages = 0};
}

void SampleProcess::sweep(ProcessAudit& audit) {
  SweepEnd end;
  end.status_before = status();
  happens(Moment::sweep_pass);
  const PagePass first = pass(false, true);
  happens(Moment::sweep_smaps);
  const SmapsText text = smaps();
  happens(Moment::sweep_pass);
  const PagePass second = pass(false, true);
  audit.on_chunk({text, first, second, faults});
  if (has_rollup) audit.on_rollup(rollup_of(rollup_rss.value_or(summed())));
  if (has_numa) audit.on_numa(numa());
  end.status_after = status();
  end.statm = statm();
  end.asleep = asleep;
  end.mm_shared = mm_shared;
  end.faults = faults;
  end.awake_threads = asleep ? 0 : threads;
  audit.on_sweep_end(end);
}

void SampleProcess::feed_pass(ProcessAudit& audit) {
  happens(Moment::pass);
  // Like the sampler's: asked for first, although a sample knows all there is.
  static_cast<void>(audit.watched_ranges());
  const PagePass walk = pass(false, false);
  const PagePass plain = pass(true, false);
  audit.on_pass(walk, scan ? &plain : nullptr);
  if (!audit.counted_ranges().empty()) audit.on_mappings(plain);
}

void SampleProcess::feed_reads(ProcessAudit& audit, const SeriesPlan& plan) {
  happens(Moment::smaps);
  audit.on_series_smaps(smaps());
  if (plan.whole_mm && has_rollup) {
    happens(Moment::rollup);
    audit.on_series_rollup(rollup_of(rollup_rss.value_or(summed())));
  }
  if (has_numa && audit.wants_numa()) {
    happens(Moment::numa);
    audit.on_series_numa(numa());
  }
  happens(Moment::status);
  audit.on_series_status(status(), statm());
}

unsigned SampleProcess::series(ProcessAudit& audit, const SeriesPlan& plan) {
  if (plan.whole_mm) {
    happens(Moment::listing);
    audit.on_listing(smaps());
  }
  feed_pass(audit);
  for (unsigned step = 1; step <= 1000; ++step) {
    if (reads_first(step)) {
      feed_reads(audit, plan);
      feed_pass(audit);
    } else {
      feed_pass(audit);
      feed_reads(audit, plan);
    }
    std::optional<Stillness> still;
    if (step % kSeriesSteps == 0 || step == kFirstSleepStep || step == kNumaMapsSteps) {
      still = Stillness{.asleep = asleep,
                        .faults = asleep ? 0 : faults,
                        .in_execve = false,
                        .hardware_corrupted = hardware_corrupted};
    }
    if (audit.on_step(step, still) == StepDecision::done) return step;
  }
  ADD_FAILURE() << "the series never ends";
  return 0;
}

ProcessReport SampleProcess::audit() {
  ProcessAudit audit{capabilities, kPages, options};
  series_steps.clear();
  sweep(audit);
  for (SeriesPlan plan = audit.plan_series(); plan.wanted; plan = audit.plan_series()) {
    series_steps.push_back(series(audit, plan));
    if (series_steps.size() > 10) {
      ADD_FAILURE() << "series without end";
      break;
    }
  }
  ProcessReport report;
  audit.conclude(report);
  return report;
}

Finding k01_finding(const ProcessReport& report) {
  Finding rss;
  std::vector<std::string> fields;
  for (const Finding& finding : report.findings) {
    if (finding.interface != Interface::smaps) continue;
    fields.push_back(finding.field);
    if (finding.field == "Rss") rss = finding;
  }
  EXPECT_EQ(fields, (std::vector<std::string>{"Rss", "Pss", "Anonymous", "AnonHugePages"}));
  return rss;
}

Finding only_finding(const ProcessReport& report) {
  EXPECT_EQ(report.findings.size(), 1u);
  return report.findings.empty() ? Finding{} : report.findings.front();
}

}  // namespace smaps_audit::evidence
