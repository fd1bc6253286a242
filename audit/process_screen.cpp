// SPDX-License-Identifier: Apache-2.0
// The screening half of ProcessAudit: chunks in, suspects out (docs/method.md §3, §4).
#include <algorithm>

#include "audit/process_audit.h"

namespace smaps_audit {

ProcessAudit::ProcessAudit(const KernelCapabilities& capabilities, const PageGeometry& pages,
                           const ProcessAuditOptions& options)
    : capabilities_(capabilities), pages_(pages), options_(options) {}

void ProcessAudit::on_chunk(const Chunk& chunk) {
  faults_ += chunk.faults;
  ++chunks_;
  unknown_fields_ += chunk.text.unknown_fields;
  for (const SmapsRecord& record : chunk.text.records) screen(record, chunk);
}

void ProcessAudit::screen(const SmapsRecord& record, const Chunk& chunk) {
  const VmaTraits traits = traits_of(record);
  const Range range{record.header.start, record.header.end};
  sums_.add(record, traits);
  if (!traits.compared) return;
  audited_bytes_ += range.length();
  if (!known_page_) known_page_ = range.first / pages_.page_bytes;
  const auto rss = record.values.bytes(SmapsField::rss);
  const bool covered = chunk.before.covered.contains(range) && chunk.after.covered.contains(range);
  if (!rss || !covered) {
    add_suspect(record, traits, true, {0, range.length()});
    return;
  }

  const Interval resident = resident_between(chunk.before, chunk.after, range, traits, pages_);
  resident_ += resident;
  compared_size_ += range.length();
  if (traits.vdso) vdso_resident_ += resident;
  if (traits.userfault) {
    userfault_resident_ += resident;
    userfault_size_ += range.length();
  }
  largest_fault_pages_ =
      std::max(largest_fault_pages_, pages_per_fault(traits, range, capabilities_, pages_));
  if (!traits.no_huge_page && aligned_pmd_pages(range, pages_).length() != 0) holds_pmd_ranges_ = true;
  if (!resident.contains(*rss) || broken_identity(record)) {
    add_suspect(record, traits, false, resident);
  } else {
    open(resident.width(), "maybe_pages");
  }
}

void ProcessAudit::add_suspect(const SmapsRecord& record, const VmaTraits& traits, bool uncovered,
                               Interval expected) {
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
    numa_anon_bytes_ += pages_.bytes(record.anon_pages.value_or(0));
  }
}

void ProcessAudit::on_rollup(const SmapsRecord& rollup) {
  rollup_ = rollup.values;
  unknown_fields_ += rollup.unknown_fields;
  rollup_identity_broken_ = broken_identity(rollup).has_value();
}

void ProcessAudit::on_sweep_end(const SweepEnd& end) { end_ = end; }

std::uint64_t ProcessAudit::counter_slack() const {
  std::uint64_t threads = 1;
  if (end_.status_before) threads = std::max(threads, end_.status_before->threads.value_or(1));
  return rss_counter_slack(capabilities_, threads, pages_);
}

/// Do the totals of the screen fit its sums? A miss means nothing yet: the series decides.
bool ProcessAudit::totals_suspect() const {
  Interval expected = resident_;
  for (const Suspect& suspect : suspects_) {
    expected += suspect.uncovered ? suspect.expected : Interval{};
  }
  const auto fits = [](std::uint64_t said, Interval in) { return in.contains(said); };
  if (rollup_ && rollup_->has(SmapsField::rss)) {
    const Interval with_uncompared{expected.low + sums_.uncompared_rss,
                                   expected.high + sums_.uncompared_rss};
    if (!fits(*rollup_->bytes(SmapsField::rss), with_uncompared)) return true;
  }
  const Interval counted =
      Interval{expected.low,
               expected.high + std::max(sums_.uncompared_rss, sums_.pfnmap_size)}
          .widened(counter_slack(), UINT64_MAX);
  for (const auto& status : {end_.status_before, end_.status_after}) {
    if (status && status->vm_rss && !fits(*status->vm_rss, counted)) return true;
    if (status && broken_identity(*status)) return true;
  }
  const Interval numa{expected.low - std::min(expected.low, vdso_resident_.low),
                      expected.high + sums_.uncompared_rss};
  if (numa_read_ && !fits(numa_bytes_, numa)) return true;
  return rollup_identity_broken_ || (end_.asleep && fields_suspect());
}

/// Relations that only a sleeping process makes meaningful on a single look.
bool ProcessAudit::fields_suspect() const {
  for (std::size_t i = 0; rollup_ && i < kSmapsFieldCount; ++i) {
    const auto field = static_cast<SmapsField>(i);
    const auto said = rollup_->bytes(field);
    const auto sum = sums_.get(field);
    if (!said || !sum || field == SmapsField::size) continue;
    const std::uint64_t floor_slack = 1024 * sums_.vmas;  // Pss and its like are floored per VMA
    if (*said < *sum || *said > *sum + floor_slack) return true;
    const bool exact = field == SmapsField::anonymous || field == SmapsField::rss ||
                       field == SmapsField::anon_huge_pages;
    if (exact && *said != *sum) return true;
  }
  if (numa_read_ && sums_.get(SmapsField::anonymous).value_or(numa_anon_bytes_) != numa_anon_bytes_) {
    return true;
  }
  const auto& before = end_.status_before;
  const auto& after = end_.status_after;
  if (!before || !after || before->vm_size != after->vm_size || before->vm_rss != after->vm_rss) {
    return false;
  }
  if (before->vm_size && *before->vm_size != sums_.size_bytes) return true;
  return end_.statm && before->vm_rss &&
         pages_.bytes(end_.statm->resident_pages) != *before->vm_rss;
}

/// ΣL', ΣU' of docs/method.md §4: the sums, widened by what faults and collapses may have moved unless
/// the target slept. Every page can be misjudged in the two brackets that share its pass at most.
Interval ProcessAudit::truth() const {
  Interval sum = resident_;
  sum += resolved_;
  for (const auto& [reason, bytes] : open_bytes_) {
    if (reason != "maybe_pages") sum.high += bytes;
  }
  if (end_.asleep && end_.faults == 0) return sum;
  const std::uint64_t awake = end_.awake_threads;
  const std::uint64_t arrivals = faults_ + awake * chunks_;
  std::uint64_t slack_pages = largest_fault_pages_ * arrivals;
  if (holds_pmd_ranges_) {
    const std::uint64_t in_flight = awake > 0 ? 1 : 0;
    const std::uint64_t huge = std::min(arrivals, 2 * end_.huge_faults + awake * chunks_);
    slack_pages += pages_.pages_per_pmd() * (huge + 2 * (end_.collapses + in_flight));
  }
  sum = sum.widened(pages_.bytes(slack_pages), std::max(sum.high, compared_size_));
  sum.low -= std::min(sum.low, userfault_resident_.low);
  sum.high += userfault_size_ - std::min(userfault_size_, userfault_resident_.high);
  return sum;
}

}  // namespace smaps_audit
