// SPDX-License-Identifier: Apache-2.0
// The screening half of ProcessAudit: chunks in, suspects out (docs/method.md §3, §4).
#include <algorithm>

#include "audit/page_notes.h"
#include "audit/process_audit.h"
#include "audit/pss_truth.h"
#include "collect/look_ahead.h"

namespace smaps_audit {

ProcessAudit::ProcessAudit(const KernelCapabilities& capabilities, const PageGeometry& pages,
                           const ProcessAuditOptions& options)
    : capabilities_(capabilities),
      pages_(pages),
      options_(options),
      totals_(pages, capabilities.mapcount_per_page) {}

void ProcessAudit::on_chunk(const Chunk& chunk) {
  unknown_fields_ += chunk.text.unknown_fields;
  ChunkSum sum;
  sum.faults = chunk.faults;
  for (const SmapsRecord& record : chunk.text.records) screen(record, chunk, sum);
  resident_ += sum.resident;
  chunk_sums_.push_back(sum);
}

void ProcessAudit::screen(const SmapsRecord& record, const Chunk& chunk, ChunkSum& sum) {
  const VmaTraits traits = traits_of(record);
  const Range range{record.header.start, record.header.end};
  sums_.add(record, traits);
  const bool of_the_kernel = range.first >= kKernelHalf;
  if (!known_page_ && !of_the_kernel) known_page_ = range.first / pages_.page_bytes;
  if (!traits.compared) return;
  audited_bytes_ += range.length();
  const auto rss = record.values.bytes(SmapsField::rss);
  const bool covered = chunk.before.covered.contains(range) && chunk.after.covered.contains(range);
  if (!rss || !covered) {
    add_suspect(record, traits, true, {0, range.length()});
    return;
  }

  const PageSets sets = pages_between(chunk.before, chunk.after, range, traits,
                                      record.values.bytes(SmapsField::swap).value_or(0), pages_);
  const Interval resident{pages_.bytes(sets.sure.count()), pages_.bytes(sets.possible.count())};
  const bool broken = broken_identities(record, pages_) != 0;
  identity_broken_ = identity_broken_ || broken;
  const bool contradicted = broken || !resident.contains(*rss);
  // A huge page on its way to another node is no more than possible, for a moment.
  if (!contradicted && resident.width() >= kOpenBytesThatMatter && options_.confirm) {
    add_suspect(record, traits, true, resident);
    return;
  }
  sum.resident += resident;
  sum.pss += pss_between(record, chunk, sets, resident);
  sum.size += range.length();
  sum.pages_per_fault =
      std::max(sum.pages_per_fault, pages_per_fault(traits, range, capabilities_, pages_));
  sum.holds_pmd_range |= !traits.no_huge_page && aligned_pmd_pages(range, pages_).length() != 0;
  sum.userfault |= traits.userfault;
  if (traits.special) special_resident_ += resident;
  if (contradicted) {
    add_suspect(record, traits, false, resident);
  } else {
    open(resident.width(), "maybe_pages");
  }
}

Interval ProcessAudit::pss_between(const SmapsRecord& record, const Chunk& chunk,
                                   const PageSets& sets, Interval resident) {
  const Range range{record.header.start, record.header.end};
  const Range pages{pages_.pages(range.first), pages_.pages(range.last)};
  const std::vector<MappingRun> both = join_mappings(mappings_in(chunk.before.mappings, pages),
                                                     mappings_in(chunk.after.mappings, pages));
  if (auto note = exclusive_note(both, range, std::string{record.header.name}, pages_)) {
    add_to(notes_, *std::move(note));
  }
  if (traits_of(record).anonymous_private) {
    const std::uint64_t flagged = zero_file_bytes(chunk.before, chunk.after, range, pages_);
    auto note =
        huge_zero_note(flagged, chunk.after.by_scan, range, std::string{record.header.name});
    if (note) add_to(notes_, *std::move(note));
  }
  return pss_bytes(sets, both, maps_no_pmd(record, resident), pages_);
}

void ProcessAudit::add_suspect(const SmapsRecord& record, const VmaTraits& traits, bool uncovered,
                               Interval expected) {
  // A VMA that grew while smaps was read is told twice; suspects stay ascending and disjoint.
  while (!suspects_.empty() && suspects_.back().range.last > record.header.start) {
    suspects_.pop_back();
  }
  suspects_.push_back({.range = {record.header.start, record.header.end},
                       .traits = traits,
                       .uncovered = uncovered,
                       .reported = record.values.bytes(SmapsField::rss).value_or(0),
                       .expected = expected,
                       .name = std::string{record.header.name}});
}

void ProcessAudit::on_numa(const NumaMapsText& text) {
  numa_read_ = true;
  unknown_fields_ += text.unknown_fields;
  for (const NumaMapsRecord& record : text.records) {
    if (record.huge) continue;
    numa_bytes_ += pages_.bytes(record.total_pages);
    numa_sums_.add(record, pages_);
  }
}

void ProcessAudit::on_rollup(const SmapsRecord& rollup) {
  rollup_record_ = rollup;
  rollup_record_->header.name = {};
  unknown_fields_ += rollup.unknown_fields;
}

void ProcessAudit::on_sweep_end(const SweepEnd& end) { end_ = end; }

/// Up to 6.1 threads keep pages to themselves, which RssAnon then lacks; it never has too much of
/// them. But who is in an execve has RssAnon include the arguments of the program to come, up to
/// 6 MiB a thread: more than any process has by right that is not known to be elsewhere.
CounterSlack ProcessAudit::counter_slack() const {
  constexpr std::uint64_t kMostArgumentBytes = (6u << 20) + (64u << 10);
  std::uint64_t threads = 1;
  if (end_.status_before) threads = std::max(threads, end_.status_before->threads.value_or(1));
  CounterSlack slack{.bytes = rss_counter_slack(capabilities_, threads, pages_)};
  const bool only_lacks = capabilities_.rss_counters == RssCounterError::per_thread;
  slack.anon_excess = only_lacks ? 0 : slack.bytes;
  const bool asleep = plan_.wanted ? !sleep_asked_ || asleep_ : end_.asleep;
  if (!asleep) {
    slack.anon_excess = UINT64_MAX;
  } else if (in_execve_) {
    slack.anon_excess += threads * kMostArgumentBytes;
  }
  return slack;
}

/// Do the totals of the screen fit its sums? A miss means nothing yet: the series decides.
bool ProcessAudit::totals_suspect() const {
  Interval expected = resident_;
  for (const Suspect& suspect : suspects_) {
    expected += suspect.uncovered ? suspect.expected : Interval{};
  }
  const auto fits = [](std::uint64_t said, Interval in) { return in.contains(said); };
  if (identity_broken_) return true;
  if (rollup_record_ && rollup_record_->values.has(SmapsField::rss)) {
    const Interval with_uncompared{expected.low + sums_.uncompared_rss,
                                   expected.high + sums_.uncompared_rss};
    if (!fits(*rollup_record_->values.bytes(SmapsField::rss), with_uncompared)) return true;
  }
  const Interval counted = counted_rss(
      {expected.low, expected.high + std::max(sums_.uncompared_rss, sums_.device_copy_size)},
      counter_slack());
  for (const auto& status : {end_.status_before, end_.status_after}) {
    if (status && status->vm_rss && !fits(*status->vm_rss, counted)) return true;
    if (status && breaks_identity(*status)) return true;
  }
  const Interval numa{expected.low - std::min(expected.low, special_resident_.low),
                      expected.high + sums_.uncompared_rss};
  if (numa_read_ && !fits(numa_bytes_, numa)) return true;
  return fields_suspect();
}

/// numa_maps counts what smaps counts, page by page the same total: while the target sleeps a
/// second witness for pages of which the walk can't tell (docs/method.md §7).
bool ProcessAudit::numa_agrees() const {
  const auto rss = sums_.get(SmapsField::rss);
  const std::uint64_t elsewhere = sums_.uncompared_rss + special_resident_.high;
  return numa_read_ && rss && end_.faults == 0 && numa_bytes_ + elsewhere == *rss;
}

bool ProcessAudit::walk_is_unsure(std::string_view reason) {
  return reason == "maybe_pages" || reason == "address_space";
}

/// Bytes that only the walk could not tell of; the two other witnesses agree on them.
bool ProcessAudit::is_vouched_for(std::string_view reason) const {
  return walk_is_unsure(reason) && end_.asleep && numa_agrees();
}

/// How far the truth of one bracket's VMAs may lie outside of what its passes saw (docs/method.md
/// §4). Bytes.
std::uint64_t ProcessAudit::slack_of(const ChunkSum& chunk) const {
  if (end_.asleep && end_.faults == 0) return 0;
  if (chunk.userfault || end_.mm_shared) return chunk.size;
  const std::uint64_t awake = end_.awake_threads;
  // More than every page of the bracket can't have come; a counter that ran backwards says so too.
  const std::uint64_t all = pages_.pages(chunk.size);
  const std::uint64_t arrivals = std::min(chunk.faults, all) + std::min(awake, all);
  std::uint64_t slack_pages = chunk.pages_per_fault * arrivals;
  if (chunk.holds_pmd_range) {
    const std::uint64_t in_flight = awake > 0 ? 1 : 0;
    slack_pages += pages_.pages_per_pmd() *
                   (std::min(arrivals, end_.huge_faults + awake) + end_.collapses + in_flight);
  }
  return pages_.bytes(slack_pages);
}

/// The sum over all brackets, widened unless the target slept, and over what only a series covered.
Interval ProcessAudit::widened_sum(Interval ChunkSum::*part, Interval resolved) const {
  Interval sum = resolved;
  for (const ChunkSum& chunk : chunk_sums_) {
    sum += (chunk.*part).widened(slack_of(chunk), chunk.size);
  }
  for (const auto& [reason, bytes] : open_bytes_) {
    if (reason != "maybe_pages" && !is_vouched_for(reason)) sum.high += bytes;
  }
  return sum;
}

/// A series over the whole mm narrows it to what all of its passes and any of its passes saw.
Interval ProcessAudit::true_rss() const {
  // Faults of the others that use the mm are in no counter that we read: nothing bounds them.
  if (end_.mm_shared) return {0, audited_bytes_};
  Interval sum = widened_sum(&ChunkSum::resident, resolved_);
  sum.low = std::clamp(series_low_, sum.low, sum.high);
  if (!series_walk_) return sum;
  const Interval both{std::max(sum.low, series_walk_->low), std::min(sum.high, series_walk_->high)};
  return both.low <= both.high ? both : *series_walk_;
}

/// Threads that sleep keep what they have not told the process's counters yet.
void ProcessAudit::note_cached_counter(Interval true_rss) {
  const auto& status = end_.status_after;
  if (!end_.asleep || end_.faults != 0 || !status || !status->vm_rss) return;
  auto note = cached_counter_note(*status->vm_rss, true_rss, capabilities_, counter_slack().bytes);
  if (note) notes_.push_back(*std::move(note));
}

/// Other processes change the share of a page without a trace in this one, so that for shared pages
/// this is an estimate of the moment (docs/method.md §7).
Interval ProcessAudit::true_pss(Interval true_rss, std::uint64_t unseen) const {
  const Interval sum = widened_sum(&ChunkSum::pss, resolved_pss_);
  const std::uint64_t high = std::min(sum.high + unseen, true_rss.high);
  if (end_.mm_shared) return {0, true_rss.high};
  return {std::min(sum.low, high), high};
}

}  // namespace smaps_audit
