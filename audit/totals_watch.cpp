// SPDX-License-Identifier: Apache-2.0
#include "audit/totals_watch.h"

#include <algorithm>

#include "audit/device_copies.h"
#include "audit/poisoned_pages.h"
#include "collect/sampler.h"
#include "config/known_defects.h"

namespace smaps_audit {
namespace {

using Field = SmapsField;

// docs/kernel.md §2.
constexpr std::uint64_t kEventsPerThread = 66;  // SPLIT_RSS_COUNTING, ≤ 6.1
constexpr std::uint64_t kCountersPerMm = 3;     // anon, file, shmem
constexpr std::uint64_t kSmallestBatch = 32;    // percpu_counter, 6.2–6.15

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

void TotalsWatch::on_rollup(const SmapsRecord& rollup) {
  fields_.on_rollup(rollup);
  if (const auto rss = rollup.values.bytes(Field::rss)) rollup_reads_.push_back(*rss);
}

/// smaps and its rollup count VMAs that pagemap never shows by the same code.
Interval TotalsWatch::rollup_expected() const {
  const Extremes& uncompared = fields_.uncompared_rss();
  if (!uncompared.seen()) return walk_;
  return {walk_.low + uncompared.smallest, walk_.high + uncompared.largest};
}

Interval TotalsWatch::status_expected() const {
  const Extremes& uncompared = fields_.uncompared_rss();
  if (!uncompared.seen()) return walk_;
  return {walk_.low, walk_.high + std::max(uncompared.largest, fields_.device_copy_size().largest)};
}

/// munmap takes a VMA out of the tree and then its pages out of the counters: a thread that is
/// preempted in between leaves VmRSS above every walk until it runs again.
Contradiction TotalsWatch::status_walk(bool asleep, CounterSlack slack) const {
  const Contradiction found = compare(fields_.vm_rss(), counted_rss(status_expected(), slack));
  return found == Contradiction::excess && !asleep ? Contradiction::none : found;
}

Contradiction TotalsWatch::rollup_walk() const {
  return compare(fields_.rollup(Field::rss), rollup_expected());
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

/// Then pages are left out or made up, and every other field with them.
bool TotalsWatch::rss_contradicted() const {
  return rollup_walk() != Contradiction::none ||
         compare(fields_.smaps(Field::rss), rollup_expected()) != Contradiction::none;
}

std::vector<Relation> TotalsWatch::relations(bool asleep, CounterSlack slack) const {
  return fields_.relations(limits(asleep, slack));
}

std::vector<Relation> TotalsWatch::broken_fields(bool asleep, CounterSlack slack) const {
  if (rss_contradicted()) return {};
  std::vector<Relation> broken = relations(asleep, slack);
  std::erase_if(broken, [](const Relation& relation) { return relation.holds(); });
  return broken;
}

std::vector<Finding> TotalsWatch::device_copies(bool asleep, CounterSlack slack,
                                                const std::vector<FindingVma>& mappings) const {
  return device_copy_findings(fields_, limits(asleep, slack), mappings);
}

std::vector<Finding> TotalsWatch::poisoned_pages(bool asleep, CounterSlack slack,
                                                 std::optional<std::uint64_t> hardware_corrupted,
                                                 const std::vector<FindingVma>& mappings) const {
  return poisoned_page_findings(fields_, limits(asleep, slack), hardware_corrupted, mappings);
}

bool TotalsWatch::beyond_counters(bool asleep, CounterSlack slack) const {
  return fields_.beyond_counters(fields_.smaps(Field::rss), limits(asleep, slack)).has_value();
}

bool TotalsWatch::copies_unseen(bool asleep, CounterSlack slack) const {
  return fields_.unseen_copies(fields_.smaps(Field::anonymous), limits(asleep, slack)).has_value();
}

bool TotalsWatch::numa_contested(CounterSlack slack) const {
  if (copies_unseen(true, slack)) return true;
  const std::vector<Relation> broken = broken_fields(true, slack);
  return std::any_of(broken.begin(), broken.end(), [](const Relation& relation) {
    return relation.involves(Interface::numa_maps);
  });
}

bool TotalsWatch::contradicted(bool maybe_asleep, CounterSlack slack) const {
  return !findings(false, {}, false, std::nullopt, slack).empty() ||
         status_walk(maybe_asleep, slack) != Contradiction::none ||
         !broken_fields(maybe_asleep, slack).empty() || copies_unseen(maybe_asleep, slack) ||
         beyond_counters(maybe_asleep, slack);
}

bool TotalsWatch::alive(bool maybe_asleep, CounterSlack slack) const {
  const bool in_suspense =
      rollup_walk() == Contradiction::none && !rollup_reads_.empty() && rollup_may_be_short();
  return in_suspense || contradicted(maybe_asleep, slack);
}

std::vector<Finding> TotalsWatch::findings(bool asleep, Interval smaps_missing, bool smaps_exact,
                                           const std::optional<Finding>& smaps_finding,
                                           CounterSlack slack) const {
  std::vector<Finding> found;
  if (!fields_.uncompared_rss().seen()) return found;
  add_rollup(found, asleep, smaps_missing, smaps_exact, smaps_finding);
  if (status_walk(asleep, slack) != Contradiction::none) {
    const Interval counted = counted_rss(status_expected(), slack);
    found.push_back(finding_of("I4", Interface::status, "VmRSS", fields_.vm_rss(), counted));
  }
  return found;
}

void TotalsWatch::add_rollup(std::vector<Finding>& findings, bool asleep, Interval smaps_missing,
                             bool smaps_exact, const std::optional<Finding>& smaps_finding) const {
  Extremes said = fields_.rollup(Field::rss);
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
      const Extremes& sum = fields_.smaps(Field::rss);
      // Beside a wide interval smaps' own bytes may be more than this total proves.
      const bool repeats_smaps = said.smallest == said.largest && sum.smallest == sum.largest &&
                                 said.smallest == sum.smallest && total.expected.width() == 0;
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
  }
}

std::optional<Finding> TotalsWatch::repeated(SmapsField field, const Finding& of_smaps) const {
  const Extremes& said = fields_.rollup(field);
  const Extremes& sum = fields_.smaps(field);
  if (!said.seen() || !sum.seen()) return std::nullopt;
  const Interval agreed{sum.smallest, sum.largest + fields_.rounding_bytes(field)};
  if (compare(said, agreed) != Contradiction::none) return std::nullopt;
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

}  // namespace smaps_audit
