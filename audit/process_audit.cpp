// SPDX-License-Identifier: Apache-2.0
// The judging half of ProcessAudit: what of the series becomes a finding (docs/method.md §10).
#include "audit/process_audit.h"

#include <algorithm>

#include "audit/blame.h"
#include "audit/missing_fields.h"
#include "collect/sampler.h"
#include "config/known_defects.h"

namespace smaps_audit {
namespace {

bool same_kind(const Finding& a, const Finding& b) {
  return a.check == b.check && a.interface == b.interface && a.field == b.field &&
         a.direction == b.direction && a.defect == b.defect && a.cause == b.cause &&
         a.against == b.against;
}

void keep_largest_vmas(Finding& finding) {
  std::stable_sort(
      finding.vmas.begin(), finding.vmas.end(),
      [](const FindingVma& a, const FindingVma& b) { return a.error_bytes > b.error_bytes; });
  if (finding.vmas.size() > kMaxListedVmas) finding.vmas.resize(kMaxListedVmas);
}

bool is_note(const Finding& finding) {
  const KnownDefect* defect = finding.defect ? find_known_defect(*finding.defect) : nullptr;
  return defect != nullptr && defect->defect_class == DefectClass::note;
}

}  // namespace

void ProcessAudit::open(std::uint64_t bytes, std::string_view reason) {
  if (bytes != 0) open_bytes_[reason] += bytes;
}

Basis ProcessAudit::series_basis() const {
  if (!asleep_) return Basis::series;
  return options_.frozen ? Basis::frozen : Basis::asleep;
}

const ProcessAudit::Suspect* ProcessAudit::find_suspect(std::uint64_t start) const {
  const auto found = std::lower_bound(
      suspects_.begin(), suspects_.end(), start,
      [](const Suspect& suspect, std::uint64_t at) { return suspect.range.first < at; });
  return found != suspects_.end() && found->range.first == start ? &*found : nullptr;
}

void ProcessAudit::add_blame(const VmaWatch& watch, const Blame& blame) {
  Finding finding{.check = std::string{blame.check},
                  .direction = blame.direction,
                  .field = std::string{blame.field},
                  .interface = blame.interface,
                  .against = blame.against,
                  .reported_bytes = blame.reported,
                  .expected = blame.expected,
                  .error_bytes = blame.error,
                  .exact = blame.exact,
                  .brackets = watch.steps(),
                  .basis = series_basis(),
                  .defect = blame.defect,
                  .cause = blame.cause,
                  .vmas_total = 1,
                  .vmas = {{watch.range().first, watch.range().last, watch.name(), blame.error}}};
  if (blame.interface == Interface::smaps && blame.field == "Rss" &&
      blame.direction == Direction::deficit && !blame.against) {
    smaps_missing_ += {blame.error, blame.expected.high - watch.smaps_rss().smallest};
    smaps_exact_ = smaps_exact_ && blame.exact;
  }
  if (blame.interface == watch.walk_witness() && !blame.against)
    amended_walks_[watch.range().first] = blame.expected;
  std::vector<MissingField> missing;
  if (finding.defect && finding.field == "Rss" && finding.direction == Direction::deficit) {
    missing = missing_fields(watch, blame, pages_);
  }
  Finding of_field = finding;
  add_finding(std::move(finding));
  for (const MissingField& field : missing) {
    of_field.check = field.check;
    of_field.field = smaps_field_name(field.field);
    of_field.reported_bytes = field.reported;
    of_field.expected = field.expected;
    of_field.error_bytes = of_field.vmas.front().error_bytes = field.error;
    of_field.exact = field.exact;
    add_finding(of_field);
  }
}

/// Findings of one kind are one finding about several VMAs.
void ProcessAudit::add_to(std::vector<Finding>& list, Finding finding) {
  const auto same = std::find_if(list.begin(), list.end(), [&](const Finding& earlier) {
    return same_kind(earlier, finding);
  });
  if (same == list.end()) {
    list.push_back(std::move(finding));
    return;
  }
  same->reported_bytes += finding.reported_bytes;
  same->expected += finding.expected;
  same->error_bytes += finding.error_bytes;
  same->exact = same->exact && finding.exact;
  same->brackets = std::min(same->brackets, finding.brackets);
  same->vmas_total += 1;
  same->vmas.push_back(std::move(finding.vmas.front()));
}

/// 0.8 ms and 2 MiB of words per GiB in every pass (docs/method.md §3).
bool ProcessAudit::is_beyond_plain_reads(Range range) const {
  return !capabilities_.pagemap_scan && range.length() > kPlainAddressBudgetBytes;
}

/// Suspects of the screen that were not there any more when the series began.
void ProcessAudit::conclude_missed_suspects() {
  for (const Suspect& suspect : suspects_) {
    const auto watch = std::partition_point(
        watches_.begin(), watches_.end(),
        [&](const VmaWatch& each) { return each.range().last <= suspect.range.first; });
    const bool watched = watch != watches_.end() && watch->range().first < suspect.range.last;
    if (watched || is_beyond_plain_reads(suspect.range)) continue;
    open(suspect.range.length(), suspect.uncovered ? "coverage" : "unstable");
  }
}

void ProcessAudit::conclude_watches() {
  const bool judged_before = series_done_ != 0;
  if (!judged_before) conclude_missed_suspects();
  for (const VmaWatch& watch : watches_) {
    if (blamed_.contains(watch.range().first)) continue;
    const Suspect* const suspect = judged_before ? nullptr : find_suspect(watch.range().first);
    if (!watch.present() || watch.steps() == 0) {
      if (suspect != nullptr) {
        open(watch.range().length(), watch.resolve_coverage() ? "coverage" : "unstable");
      }
      continue;
    }
    const Contradictions found = watch.contradictions(pages_);
    const Interval walk = watch.walk().bytes(pages_);
    if (suspect != nullptr && watch.resolve_coverage()) {
      resolved_ += walk;
      resolved_pss_ += watch.pss(pages_).value_or(Interval{0, walk.high});
      open(walk.width(), "maybe_pages");
    } else if (suspect != nullptr && !found.any()) {
      open(suspect->expected.width(), "maybe_pages");
    }
    if (watch.steps() < kSeriesSteps) {
      if (found.any() && !judged_before) open(watch.range().length(), "series");
      continue;
    }
    if (const auto culprit = blame(watch, asleep_, watch.numa().reads >= kSeriesSteps, pages_)) {
      add_blame(watch, *culprit);
      blamed_.insert(watch.range().first);
      continue;
    }
    for (Relation& relation : watch.field_relations(asleep_, pages_)) {
      vma_relations_.push_back(std::move(relation));
    }
  }
}

void ProcessAudit::conclude_totals() {
  if (!plan_.whole_mm || steps_ < kSeriesSteps) return;
  totals_.on_walk(walk_sum());  // the VMAs may just have convicted the walk
  const auto smaps = std::find_if(findings_.begin(), findings_.end(), [](const Finding& finding) {
    return finding.interface == Interface::smaps && finding.field == "Rss" &&
           finding.direction == Direction::deficit && !finding.against;
  });
  const bool rss_is_wrong =
      std::any_of(findings_.begin(), findings_.end(), [](const Finding& finding) {
        return finding.interface == Interface::smaps && finding.field == "Rss";
      });
  std::optional<Finding> smaps_finding;
  if (smaps != findings_.end()) smaps_finding = *smaps;
  for (Finding finding :
       totals_.findings(asleep_, smaps_missing_, smaps_exact_, smaps_finding, counter_slack())) {
    finding.basis = series_basis();
    name_excess(finding);
    findings_.push_back(std::move(finding));
  }
  repeat_missing_fields();
  if (!rss_is_wrong) conclude_poison();
  std::vector<Finding> copies = totals_.device_copies(asleep_, counter_slack(), device_mappings_);
  for (Finding& finding : copies) {
    finding.basis = series_basis();
    unseen_copies_ = finding.expected.minus(finding.reported_bytes);
    findings_.push_back(std::move(finding));
  }
}

/// A rollup that has no more too much than smaps is known to have, has it for the same reason.
void ProcessAudit::name_excess(Finding& rollup) const {
  if (rollup.interface != Interface::smaps_rollup || rollup.direction != Direction::excess) return;
  const auto smaps = std::find_if(findings_.begin(), findings_.end(), [&](const Finding& finding) {
    return finding.interface == Interface::smaps && finding.field == rollup.field &&
           finding.direction == Direction::excess && finding.defect &&
           finding.error_bytes >= rollup.error_bytes;
  });
  if (smaps == findings_.end()) return;
  rollup.defect = smaps->defect;
  rollup.cause = smaps->cause;
  rollup.vmas = smaps->vmas;
  rollup.vmas_total = smaps->vmas_total;
}

/// What a mapping shows beyond the pages that are sure, if that adds up to what is too much.
void ProcessAudit::conclude_poison() {
  std::vector<FindingVma> mappings;
  for (const VmaWatch& watch : watches_) {
    const std::uint64_t sure = watch.walk().bytes(pages_).low;
    if (!watch.smaps_rss().seen() || watch.smaps_rss().smallest <= sure) continue;
    mappings.push_back(
        {watch.range().first, watch.range().last, watch.name(), watch.smaps_rss().smallest - sure});
  }
  for (Finding& finding :
       totals_.poisoned_pages(asleep_, counter_slack(), hardware_corrupted_, mappings)) {
    finding.basis = series_basis();
    poisoned_ = finding.error_bytes;
    findings_.push_back(std::move(finding));
  }
}

/// A rollup that lacks the Rss that smaps lacks, lacks the other fields' share of it too.
void ProcessAudit::repeat_missing_fields() {
  const std::size_t known = findings_.size();
  const bool repeats = std::any_of(findings_.begin(), findings_.end(), [](const Finding& finding) {
    const KnownDefect* const defect = finding.defect ? find_known_defect(*finding.defect) : nullptr;
    return finding.interface == Interface::smaps_rollup && finding.field == "Rss" &&
           defect != nullptr && !defect->signature.varies;
  });
  for (std::size_t i = 0; repeats && i < known; ++i) {
    const Finding finding = findings_[i];
    if (finding.interface != Interface::smaps || !finding.defect || finding.field == "Rss")
      continue;
    for (std::size_t field = 0; field < kSmapsFieldCount; ++field) {
      const auto number = static_cast<SmapsField>(field);
      if (finding.field != smaps_field_name(number)) continue;
      if (auto found = totals_.repeated(number, finding)) findings_.push_back(*std::move(found));
      break;
    }
  }
}

/// For the negative control only: what the screen alone would have said.
void ProcessAudit::conclude_unconfirmed() {
  for (const Suspect& suspect : suspects_) {
    if (suspect.uncovered) {
      open(suspect.range.length(), "coverage");
      continue;
    }
    const bool deficit = suspect.reported < suspect.expected.low;
    findings_.push_back({.check = "I7",
                         .direction = deficit ? Direction::deficit : Direction::excess,
                         .field = "Rss",
                         .interface = Interface::smaps,
                         .against = {},
                         .reported_bytes = suspect.reported,
                         .expected = suspect.expected,
                         .error_bytes = deficit ? suspect.expected.low - suspect.reported
                                                : suspect.reported - suspect.expected.high,
                         .exact = false,
                         .brackets = 1,
                         .defect = {},
                         .cause = {},
                         .vmas_total = 1,
                         .vmas = {{suspect.range.first, suspect.range.last, suspect.name, 0}}});
  }
}

void ProcessAudit::set_verdict(ProcessReport& report) const {
  std::uint64_t most = 0;
  for (const auto& [reason, bytes] : open_bytes_) {
    if (is_vouched_for(reason)) continue;
    report.open_bytes += bytes;
    if (bytes > most) {
      most = bytes;
      report.reason = reason;
    }
  }
  if (!report.findings.empty()) {
    report.verdict = Verdict::finding;
    report.reason.clear();
  } else if (report.open_bytes >= kOpenBytesThatMatter) {
    report.verdict = Verdict::inconclusive;
    // All that is missing is the sleep, and that can't be had.
    if (end_.mm_shared && walk_is_unsure(report.reason) && numa_agrees()) {
      report.reason = "shared_mm";
    }
  } else {
    report.verdict = Verdict::consistent;
    report.reason.clear();
  }
}

void ProcessAudit::conclude(ProcessReport& report) {
  if (!options_.confirm) conclude_unconfirmed();
  for (Finding& finding : findings_) {
    keep_largest_vmas(finding);
    (is_note(finding) ? report.notes : report.findings).push_back(std::move(finding));
  }
  Interval rss = true_rss();
  note_cached_counter(rss);
  rss.high -= std::min(rss.width(), poisoned_);
  const Interval copies = unseen_copies_.value_or(Interval{0, sums_.device_copy_size});
  rss += copies;
  for (Finding& note : notes_) {
    keep_largest_vmas(note);
    report.notes.push_back(std::move(note));
  }
  report.reported = {.rss_bytes = sums_.get(SmapsField::rss),
                     .pss_bytes = sums_.get(SmapsField::pss),
                     .anon_huge_bytes = sums_.get(SmapsField::anon_huge_pages),
                     .status_rss_bytes = {},
                     .rollup_rss_bytes = {},
                     .numa_maps_bytes = {}};
  if (end_.status_after) report.reported.status_rss_bytes = end_.status_after->vm_rss;
  if (rollup_record_) {
    report.reported.rollup_rss_bytes = rollup_record_->values.bytes(SmapsField::rss);
  }
  if (numa_read_) report.reported.numa_maps_bytes = numa_bytes_;
  report.truth = TrueMemory{
      .rss = rss, .pss = true_pss(rss, copies.high), .by_scan = capabilities_.pagemap_scan};
  report.audited_bytes = audited_bytes_;
  report.vmas = sums_.vmas;
  report.brackets = chunk_sums_.size();
  report.worst_suspect_steps = longest_suspicion_;
  report.unknown_fields = unknown_fields_;
  set_verdict(report);
}

}  // namespace smaps_audit
