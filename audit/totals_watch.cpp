// SPDX-License-Identifier: Apache-2.0
#include "audit/totals_watch.h"

#include <algorithm>

#include "collect/look_ahead.h"
#include "collect/sampler.h"
#include "config/known_defects.h"

namespace smaps_audit {
namespace {

using Field = SmapsField;

// docs/kernel.md §2.
constexpr std::uint64_t kEventsPerThread = 66;  // SPLIT_RSS_COUNTING, ≤ 6.1
constexpr std::uint64_t kCountersPerMm = 3;     // anon, file, shmem
constexpr std::uint64_t kSmallestBatch = 32;    // percpu_counter, 6.2–6.15

/// Fields that a rollup sums from bytes and prints floored to a kB: it may show up to one kB a VMA
/// more than the sum of the floored records.
constexpr std::array kFlooredFields = {Field::pss, Field::pss_dirty, Field::swap_pss,
                                       Field::locked};

/// Fields that smaps and its rollup both have, and that mean the same in both.
constexpr std::array kSharedFields = {Field::pss,
                                      Field::pss_dirty,
                                      Field::shared_clean,
                                      Field::shared_dirty,
                                      Field::private_clean,
                                      Field::private_dirty,
                                      Field::referenced,
                                      Field::anonymous,
                                      Field::ksm,
                                      Field::lazy_free,
                                      Field::anon_huge_pages,
                                      Field::shmem_pmd_mapped,
                                      Field::file_pmd_mapped,
                                      Field::shared_hugetlb,
                                      Field::private_hugetlb,
                                      Field::swap,
                                      Field::swap_pss,
                                      Field::locked};

std::size_t at(Field field) { return static_cast<std::size_t>(field); }

/// A total that every read put outside `expected`.
Finding finding_of(std::string_view check, Interface interface, std::string_view field,
                   const Extremes& said, Interval expected) {
  const bool deficit = said.largest < expected.low;
  return Finding{
      .check = std::string{check},
      .direction = deficit ? Direction::deficit : Direction::excess,
      .field = std::string{field},
      .interface = interface,
      .against = {},
      .reported_bytes = deficit ? said.largest : said.smallest,
      .expected = expected,
      .error_bytes = deficit ? expected.low - said.largest : said.smallest - expected.high,
      .exact = expected.width() == 0 && said.smallest == said.largest,
      .brackets = said.reads,
      .defect = {},
      .cause = {},
      .vmas = {}};
}

Finding finding_of(const BrokenIdentity& broken, Interface interface, std::uint64_t reads) {
  Extremes said;
  said.add(broken.reported);
  Finding finding = finding_of(broken.check, interface, broken.field, said, broken.expected);
  finding.brackets = reads;
  finding.basis = Basis::same_record;
  return finding;
}

/// K03 and its like: a rollup that is short only while threads of the target run, by another amount
/// every time.
std::optional<std::string> contention_defect(const Extremes& said, bool asleep) {
  for (const KnownDefect& defect : known_defects()) {
    const DefectSignature& signature = defect.signature;
    const bool about_rollup =
        std::find(signature.interfaces.begin(), signature.interfaces.end(),
                  name_of(Interface::smaps_rollup)) != signature.interfaces.end();
    if (about_rollup && signature.varies && signature.needs_awake && !asleep &&
        said.smallest != said.largest) {
      return defect.id;
    }
  }
  return std::nullopt;
}

/// Every read was another number: the worst one tells how far a reader can be misled.
void show_worst_read(Finding& finding, const Extremes& said, std::uint64_t explained) {
  const std::uint64_t missing = finding.expected.low - said.smallest;
  finding.reported_bytes = said.smallest;
  finding.error_bytes = missing > explained ? missing - explained : 0;
  finding.exact = false;
}

}  // namespace

std::uint64_t rss_counter_slack(const KernelCapabilities& capabilities, std::uint64_t threads,
                                const PageGeometry& pages) {
  if (capabilities.rss_counters == RssCounterError::exact) return 0;
  const std::uint64_t file_pages = capabilities.fault_around_pages + 1;
  const std::uint64_t per_thread =
      kEventsPerThread * (capabilities.anon_fault_pages + 2 * file_pages) * threads;
  const std::uint64_t batch = std::max(kSmallestBatch, 2 * capabilities.cpus);
  const std::uint64_t per_cpu = kCountersPerMm * capabilities.cpus * (batch - 1);
  return pages.bytes(std::max(per_thread, per_cpu));
}

void SmapsSums::add(const SmapsRecord& record, const VmaTraits& traits) {
  ++vmas;
  const bool gate = record.header.start >= kKernelHalf;  // [vsyscall]
  if (!gate) size_bytes += record.values.bytes(Field::size).value_or(record.header.size_bytes());
  for (std::size_t i = 0; i < kSmapsFieldCount; ++i) {
    if (const auto value = record.values.bytes(static_cast<Field>(i))) {
      bytes[i] += *value;
      present |= 1u << i;
    }
  }
  if (!traits.compared) uncompared_rss += record.values.bytes(Field::rss).value_or(0);
  if (traits.pfnmap && !record.header.name.starts_with("[v")) {
    pfnmap_size += record.header.size_bytes();
  }
}

std::optional<std::uint64_t> SmapsSums::get(SmapsField field) const {
  if ((present >> static_cast<unsigned>(field) & 1u) == 0) return std::nullopt;
  return bytes[static_cast<std::size_t>(field)];
}

void TotalsWatch::on_smaps(const SmapsSums& sums) {
  for (std::size_t i = 0; i < kSmapsFieldCount; ++i) {
    if (const auto value = sums.get(static_cast<Field>(i))) smaps_[i].add(*value);
  }
  size_.add(sums.size_bytes);
  uncompared_rss_.add(sums.uncompared_rss);
  pfnmap_size_.add(sums.pfnmap_size);
  largest_vmas_ = std::max(largest_vmas_, sums.vmas);
}

void TotalsWatch::on_rollup(const SmapsRecord& rollup) {
  for (std::size_t i = 0; i < kSmapsFieldCount; ++i) {
    if (const auto value = rollup.values.bytes(static_cast<Field>(i))) rollup_[i].add(*value);
  }
  if (const auto rss = rollup.values.bytes(Field::rss)) rollup_reads_.push_back(*rss);
  if (const auto broken = broken_identity(rollup)) {
    rollup_identity_ = broken;
    ++rollup_identity_breaks_;
  }
}

void TotalsWatch::on_status(const StatusNumbers& status, const ProcStatm& statm,
                            const PageGeometry& pages) {
  if (status.vm_rss) vm_rss_.add(*status.vm_rss);
  if (status.vm_size) vm_size_.add(*status.vm_size);
  if (status.rss_anon) rss_anon_.add(*status.rss_anon);
  statm_resident_.add(pages.bytes(statm.resident_pages));
  if (const auto broken = broken_identity(status)) {
    status_identity_ = broken;
    ++status_identity_breaks_;
  }
}

/// smaps and its rollup count VMAs that pagemap never shows by the same code.
Interval TotalsWatch::rollup_expected() const {
  if (!uncompared_rss_.seen()) return walk_;
  return {walk_.low + uncompared_rss_.smallest, walk_.high + uncompared_rss_.largest};
}

Interval TotalsWatch::status_expected() const {
  if (!uncompared_rss_.seen()) return walk_;
  return {walk_.low, walk_.high + std::max(uncompared_rss_.largest, pfnmap_size_.largest)};
}

Contradiction TotalsWatch::rollup_walk() const {
  return compare(rollup_[at(Field::rss)], rollup_expected());
}

/// Reads that are short of what every pass of the series saw, before and after.
std::uint64_t TotalsWatch::short_rollups() const {
  const std::uint64_t low = rollup_expected().low;
  return static_cast<std::uint64_t>(std::count_if(rollup_reads_.begin(), rollup_reads_.end(),
                                                  [low](std::uint64_t rss) { return rss < low; }));
}

/// Short by fits and starts: the pages were in all passes (≤ 2^−(n+1) for a flicker) and most reads
/// missed them.
bool TotalsWatch::rollup_mostly_short() const {
  const std::uint64_t wrong = short_rollups();
  const std::uint64_t right = rollup_reads_.size() - wrong;
  return rollup_reads_.size() >= kStepsNowAndThen && right <= kRightRollupsAllowed;
}

/// One read in twenty beside three contenders is right (stock 6.1): a series that begins with one
/// is not over yet.
bool TotalsWatch::rollup_may_be_short() const {
  const std::uint64_t wrong = short_rollups();
  const std::uint64_t right = rollup_reads_.size() - wrong;
  return right <= std::min(kRightRollupsAllowed, wrong + kRightRollupsFirst);
}

bool TotalsWatch::wants_more_rollups() const {
  return rollup_walk() == Contradiction::none && short_rollups() != 0 && rollup_may_be_short() &&
         rollup_reads_.size() < kStepsNowAndThen;
}

Contradiction TotalsWatch::status_walk(std::uint64_t counter_slack) const {
  return compare(vm_rss_, status_expected().widened(counter_slack, UINT64_MAX));
}

bool TotalsWatch::contradicted(bool maybe_asleep, std::uint64_t counter_slack) const {
  return !findings(false, {}, false, std::nullopt, counter_slack).empty() ||
         (maybe_asleep && !findings(true, {}, false, std::nullopt, counter_slack).empty()) ||
         rollup_walk() != Contradiction::none || any_field_disputed() || disputes_numa_maps();
}

bool TotalsWatch::alive(bool maybe_asleep, std::uint64_t counter_slack) const {
  const bool in_suspense =
      rollup_walk() == Contradiction::none && !rollup_reads_.empty() && rollup_may_be_short();
  return in_suspense || contradicted(maybe_asleep, counter_slack);
}

/// Every read of the rollup contradicts itself.
bool TotalsWatch::rollup_record_broken() const {
  return rollup_identity_ && rollup_identity_breaks_ == rollup_reads_.size();
}

bool TotalsWatch::rss_anon_sides_with_smaps() const {
  const Extremes& smaps = smaps_[at(Field::anonymous)];
  return rss_anon_.seen() && rss_anon_.smallest >= smaps.smallest &&
         rss_anon_.largest <= smaps.largest;
}

bool TotalsWatch::any_field_disputed() const {
  return std::any_of(kSharedFields.begin(), kSharedFields.end(),
                     [this](Field field) { return field_finding(field).has_value(); });
}

bool TotalsWatch::disputes_numa_maps() const {
  return compare(numa_anon_, numa_anon_expected()) != Contradiction::none;
}

/// Entries without a page are in smaps and not in numa_maps.
Interval TotalsWatch::numa_anon_expected() const {
  const Extremes& smaps = smaps_[at(Field::anonymous)];
  if (!smaps.seen()) return {0, UINT64_MAX};
  return {smaps.smallest - std::min(smaps.smallest, walk_.width()), smaps.largest};
}

std::vector<Finding> TotalsWatch::findings(bool asleep, Interval smaps_missing, bool smaps_exact,
                                           const std::optional<Finding>& smaps_finding,
                                           std::uint64_t counter_slack) const {
  std::vector<Finding> found;
  if (!size_.seen()) return found;
  add_rollup(found, asleep, smaps_missing, smaps_exact, smaps_finding);
  if (!smaps_finding) add_numa_anon(found, asleep, counter_slack);
  settle_anonymous(found);
  add_status(found, asleep, counter_slack);
  return found;
}

void TotalsWatch::add_rollup(std::vector<Finding>& findings, bool asleep, Interval smaps_missing,
                             bool smaps_exact, const std::optional<Finding>& smaps_finding) const {
  Extremes said = rollup_[at(Field::rss)];
  if (!said.seen()) return;
  const bool now_and_then =
      !asleep && rollup_walk() == Contradiction::none && rollup_mostly_short();
  if (now_and_then) {
    said = {};
    for (const std::uint64_t rss : rollup_reads_) {
      if (rss < rollup_expected().low) said.add(rss);
    }
  }
  if (rollup_walk() != Contradiction::none || now_and_then) {
    Finding total = finding_of("I3", Interface::smaps_rollup, "Rss", said, rollup_expected());
    const bool by_smaps_too = smaps_finding && total.direction == Direction::deficit;
    const std::uint64_t left =
        total.error_bytes > smaps_missing.high ? total.error_bytes - smaps_missing.high : 0;
    if (by_smaps_too) {
      Finding repeated = total;
      repeated.defect = smaps_finding->defect;
      repeated.cause = smaps_finding->cause;
      repeated.vmas = smaps_finding->vmas;
      repeated.vmas_total = smaps_finding->vmas_total;
      const Extremes& sum = smaps_[at(Field::rss)];
      const bool repeats_smaps = said.smallest == said.largest && sum.smallest == sum.largest &&
                                 said.smallest == sum.smallest;
      if (repeats_smaps) {
        repeated.error_bytes = smaps_missing.low;
        repeated.exact = smaps_exact;
      } else if (left != 0) {
        repeated.error_bytes = smaps_missing.low;
      }
      findings.push_back(repeated);
    }
    if (!by_smaps_too || left != 0) {
      if (by_smaps_too) {
        total.error_bytes = left;
        total.exact = false;
      }
      if (total.direction == Direction::deficit) total.defect = contention_defect(said, asleep);
      if (total.defect) show_worst_read(total, said, by_smaps_too ? smaps_missing.high : 0);
      findings.push_back(total);
    }
    return;
  }
  if (rollup_record_broken()) {
    findings.push_back(finding_of(*rollup_identity_, Interface::smaps_rollup, said.reads));
    return;
  }
  add_rollup_fields(findings);
}

/// I3 for the other fields. A third witness decides where there is one, else the two are a pair.
void TotalsWatch::add_rollup_fields(std::vector<Finding>& findings) const {
  for (const Field field : kSharedFields) {
    if (auto finding = field_finding(field)) findings.push_back(*std::move(finding));
  }
}

/// I6 for anonymous memory.
void TotalsWatch::add_numa_anon(std::vector<Finding>& findings, bool asleep,
                                std::uint64_t counter_slack) const {
  const Extremes& smaps = smaps_[at(Field::anonymous)];
  if (!asleep || !smaps.seen() || numa_anon_.reads < kSeriesSteps) return;
  const Interval expected = numa_anon_expected();
  if (compare(numa_anon_, expected) == Contradiction::none) return;
  Finding finding = finding_of("I6", Interface::numa_maps, "anon", numa_anon_, expected);
  if (counter_slack != 0 || !rss_anon_sides_with_smaps()) finding.against = Interface::smaps;
  findings.push_back(std::move(finding));
}

/// The rollup and numa_maps both contradict smaps, and not each other: smaps is the liar.
void TotalsWatch::settle_anonymous(std::vector<Finding>& findings) const {
  const Extremes& smaps = smaps_[at(Field::anonymous)];
  const Extremes& rollup = rollup_[at(Field::anonymous)];
  const std::string_view name = smaps_field_name(Field::anonymous);
  const auto against_smaps = [&](const Finding& finding) {
    return finding.against == Interface::smaps &&
           (finding.field == name || finding.interface == Interface::numa_maps);
  };
  if (std::count_if(findings.begin(), findings.end(), against_smaps) != 2) return;
  if (numa_anon_.smallest > rollup.largest || rollup.smallest > numa_anon_.largest) return;
  std::erase_if(findings, against_smaps);
  findings.push_back(
      finding_of("I3", Interface::smaps, name, smaps, {rollup.smallest, rollup.largest}));
}

std::optional<Finding> TotalsWatch::field_finding(SmapsField field) const {
  const Extremes& said = rollup_[at(field)];
  const Extremes& sum = smaps_[at(field)];
  if (!said.seen() || !sum.seen()) return std::nullopt;
  const bool floored =
      std::find(kFlooredFields.begin(), kFlooredFields.end(), field) != kFlooredFields.end();
  const std::uint64_t floor_slack = floored ? 1024 * largest_vmas_ : 0;
  const Interval expected{sum.smallest, sum.largest + floor_slack};
  if (compare(said, expected) == Contradiction::none) return std::nullopt;
  Finding finding =
      finding_of("I3", Interface::smaps_rollup, smaps_field_name(field), said, expected);
  const bool counter_decides = field == Field::anonymous && rss_anon_sides_with_smaps();
  if (!counter_decides && !rollup_record_broken()) finding.against = Interface::smaps;
  return finding;
}

std::optional<Finding> TotalsWatch::repeated(SmapsField field, const Finding& of_smaps) const {
  const Extremes& said = rollup_[at(field)];
  if (!said.seen() || !smaps_[at(field)].seen() || field_finding(field)) return std::nullopt;
  const std::uint64_t others =
      said.largest > of_smaps.reported_bytes ? said.largest - of_smaps.reported_bytes : 0;
  Finding finding = of_smaps;
  finding.check = "I3";
  finding.interface = Interface::smaps_rollup;
  finding.reported_bytes = said.largest;
  finding.expected += Interval{others, others};
  finding.brackets = said.reads;
  finding.exact = of_smaps.exact && said.smallest == said.largest;
  return finding;
}

void TotalsWatch::add_status(std::vector<Finding>& findings, bool asleep,
                             std::uint64_t counter_slack) const {
  const bool own_record_broken = status_identity_ && status_identity_breaks_ == vm_rss_.reads;
  if (own_record_broken) {
    findings.push_back(finding_of(*status_identity_, Interface::status, vm_rss_.reads));
  } else if (status_walk(counter_slack) != Contradiction::none) {
    findings.push_back(finding_of("I4", Interface::status, "VmRSS", vm_rss_,
                                  status_expected().widened(counter_slack, UINT64_MAX)));
  }
  const Interval vm_rss{vm_rss_.smallest, vm_rss_.largest};
  if (asleep && !own_record_broken && vm_rss_.seen() &&
      compare(statm_resident_, vm_rss) != Contradiction::none) {
    findings.push_back(finding_of("I1", Interface::statm, "resident", statm_resident_, vm_rss));
    const bool walk_decides = counter_slack == 0 && status_expected().contains(vm_rss_.smallest);
    if (!walk_decides) findings.back().against = Interface::status;
  }
  const Interval sizes{size_.smallest, size_.largest};
  if (asleep && vm_size_.seen() && compare(vm_size_, sizes) != Contradiction::none) {
    findings.push_back(finding_of("I8", Interface::status, "VmSize", vm_size_, sizes));
    findings.back().against = Interface::smaps;
  }
}

}  // namespace smaps_audit
