// SPDX-License-Identifier: Apache-2.0
// The confirming half of ProcessAudit: the running series (docs/method.md §6).
#include <algorithm>

#include "audit/process_audit.h"
#include "collect/sampler.h"

namespace smaps_audit {
namespace {

constexpr unsigned kMostRestarts = 3;

}  // namespace

/// One series at most for the suspects and one for the totals; both in one where the target sleeps,
/// since it costs no more then. A busy target's suspects come first and cheaply: their walk is
/// short.
SeriesPlan ProcessAudit::plan_series() {
  if (plan_.wanted) end_series();
  const SeriesPlan none;
  if (!options_.confirm) return none;
  const bool first = series_done_ == 0;
  const bool totals = totals_suspect();
  if (options_.full_series) {
    plan_ = first ? SeriesPlan{.wanted = true, .whole_mm = true, .full = true} : none;
  } else if (first && !suspects_.empty() && !identity_broken_ && (!totals || !end_.asleep)) {
    for (const Suspect& suspect : suspects_) {
      add_watch(suspect.range, suspect.traits, suspect.uncovered);
    }
    plan_ = {.wanted = true};
  } else if (totals && !totals_done_) {
    plan_ = {.wanted = true, .whole_mm = true, .if_in_time = has_findings()};
  } else {
    plan_ = none;
  }
  return plan_;
}

/// Keeps what this series proved and makes room for the next.
void ProcessAudit::end_series() {
  conclude_watches();
  conclude_totals();
  conclude_fields();
  totals_done_ = totals_done_ || plan_.whole_mm;
  if (steps_ >= kFirstSleepStep) {
    const Interval walk = walk_sum();
    series_low_ = std::max(series_low_, walk.low);
    if (plan_.whole_mm) series_walk_ = walk;
  }
  ++series_done_;
  plan_ = {};
  watches_.clear();
  totals_ = TotalsWatch{pages_, capabilities_.mapcount_per_page};
  moved_.clear();
  step_sums_ = {};
  unknown_vma_bytes_ = 0;
  largest_unknown_vma_bytes_ = 0;
  steps_ = 0;
  asleep_ = false;
  sleep_asked_ = false;
  in_execve_ = false;
  device_mappings_.clear();
  numa_contested_ = false;
}

bool ProcessAudit::wants_numa() { return plan_.full || steps_ < kNumaMapsSteps || numa_contested_; }

void ProcessAudit::on_listing(const SmapsText& text) {
  for (const SmapsRecord& record : text.records) {
    const VmaTraits traits = traits_of(record);
    if (!traits.compared) continue;
    const Range range{record.header.start, record.header.end};
    const Suspect* const suspect = find_suspect(range.first);
    const bool uncovered = suspect != nullptr && suspect->range == range && suspect->uncovered;
    add_watch(range, traits, uncovered);
  }
}

/// smaps goes on behind the last end: a VMA that was merged or grew meanwhile is told once more,
/// and what was told of its parts before is outdated.
void ProcessAudit::add_watch(Range range, const VmaTraits& traits, bool uncovered) {
  while (!watches_.empty() && watches_.back().range().last > range.first) watches_.pop_back();
  if (is_beyond_plain_reads(range)) {
    if (series_done_ == 0) open(range.length(), "address_space");
    return;
  }
  watches_.emplace_back(range, traits, uncovered);
}

std::span<const Range> ProcessAudit::watched_ranges() {
  ranges_.clear();
  for (const VmaWatch& watch : watches_) {
    if (watch.present()) ranges_.push_back(watch.range());
  }
  return ranges_;
}

void ProcessAudit::on_pass(const PagePass& pass, const PagePass* plain) {
  for (VmaWatch& watch : watches_) watch.on_pass(pass, plain, pages_);
}

/// Only of what the screen did not settle: how often a page is mapped costs a look at its frame.
std::span<const Range> ProcessAudit::counted_ranges() {
  counted_ranges_.clear();
  for (const VmaWatch& watch : watches_) {
    const Suspect* const suspect = find_suspect(watch.range().first);
    // Only where pages are left out does anything depend on their share. A capture holds the counts
    // of all, so that it can be asked whatever is suspected in it.
    const bool lacks_pages =
        suspect != nullptr &&
        (suspect->uncovered || suspect->reported + pages_.pmd_bytes <= suspect->expected.low);
    if (watch.present() && (plan_.full || lacks_pages)) counted_ranges_.push_back(watch.range());
  }
  return counted_ranges_;
}

void ProcessAudit::on_mappings(const PagePass& counted) {
  for (VmaWatch& watch : watches_) {
    if (find_suspect(watch.range().first) != nullptr) watch.on_mappings(counted, pages_);
  }
}

Interval ProcessAudit::walk_sum() const {
  Interval sum;
  for (const VmaWatch& watch : watches_) {
    const auto amended = amended_walks_.find(watch.range().first);
    const Interval bytes =
        amended == amended_walks_.end() ? watch.walk().bytes(pages_) : amended->second;
    sum += Interval{watch.present() ? bytes.low : 0, bytes.high};
  }
  sum.high += largest_unknown_vma_bytes_;
  return sum;
}

VmaWatch* ProcessAudit::find_watch(std::uint64_t start) {
  const auto found = std::lower_bound(
      watches_.begin(), watches_.end(), start,
      [](const VmaWatch& watch, std::uint64_t at) { return watch.range().first < at; });
  return found != watches_.end() && found->range().first == start ? &*found : nullptr;
}

void ProcessAudit::on_series_smaps(const SmapsText& text) {
  for (const SmapsRecord& record : text.records) {
    const VmaTraits traits = traits_of(record);
    step_sums_.add(record, traits);
    if (traits.device_copies) add_device_mapping(record);
    if (!traits.compared) continue;
    VmaWatch* watch = find_watch(record.header.start);
    // One that was gone in a read is walked no more, and may be back with any number of pages.
    if (watch == nullptr || !watch->present()) {
      unknown_vma_bytes_ += record.header.size_bytes();
      continue;
    }
    if (watch->range().last == record.header.end && watch->traits().same_kind(traits)) {
      watch->on_record(record, pages_);
    } else {
      moved_[record.header.start] = {{record.header.start, record.header.end}, traits};
      unknown_vma_bytes_ += record.header.size_bytes();
    }
  }
}

/// One that moves or grows in between is several: then none is named.
void ProcessAudit::add_device_mapping(const SmapsRecord& record) {
  const auto known = [&](const FindingVma& vma) {
    return vma.start == record.header.start && vma.end == record.header.end;
  };
  if (device_mappings_.size() > 1 ||
      std::any_of(device_mappings_.begin(), device_mappings_.end(), known))
    return;
  device_mappings_.push_back(
      {record.header.start, record.header.end, std::string{record.header.name}, 0});
}

void ProcessAudit::on_series_numa(const NumaMapsText& text) {
  for (const NumaMapsRecord& record : text.records) {
    if (VmaWatch* watch = find_watch(record.start)) watch->on_numa(record, pages_);
    if (record.huge) continue;
    if (!step_numa_) step_numa_.emplace();
    step_numa_->add(record, pages_);
  }
}

void ProcessAudit::on_series_rollup(const SmapsRecord& rollup) { totals_.on_rollup(rollup); }

void ProcessAudit::on_series_status(const StatusNumbers& status, const ProcStatm& statm) {
  if (!plan_.whole_mm) return;
  totals_.on_smaps(step_sums_);
  totals_.on_status(status, statm);
  if (step_numa_) totals_.on_numa(*step_numa_);
}

/// A VMA that nobody contradicts, but whose pages were too often only possible: while a busy
/// target's huge page moves to another node, one bracket says nothing of it, and the next one does.
bool ProcessAudit::deserves_another_look(const VmaWatch& watch) const {
  if (plan_.full || end_.asleep || !watch.resolve_coverage()) return false;
  return watch.restarts() < kMostRestarts &&
         watch.walk().bytes(pages_).width() >= kOpenBytesThatMatter &&
         !watch.contradictions(pages_).any();
}

/// VMAs that were not there with the same borders start again, three times at most.
void ProcessAudit::settle_geometry() {
  largest_unknown_vma_bytes_ = std::max(largest_unknown_vma_bytes_, unknown_vma_bytes_);
  for (VmaWatch& watch : watches_) {
    if (!watch.present()) continue;
    if (watch.end_step()) {
      if (deserves_another_look(watch)) watch.restart(watch.range(), watch.traits());
      continue;
    }
    const auto moved = moved_.find(watch.range().first);
    if (moved != moved_.end() && watch.restarts() < kMostRestarts) {
      const Range bounds = moved->second.range;
      const auto next = std::next(watches_.begin(), &watch - watches_.data() + 1);
      const bool room = next == watches_.end() || bounds.last <= next->range().first;
      if (room) watch.restart(bounds, moved->second.traits);
    }
  }
  moved_.clear();
  unknown_vma_bytes_ = 0;
  step_sums_ = {};
  step_numa_.reset();
}

bool ProcessAudit::watches_alive() {
  bool alive = false;
  numa_contested_ = false;
  for (const VmaWatch& watch : watches_) {
    if (!watch.present() || blamed_.contains(watch.range().first)) continue;
    const Contradictions found = watch.contradictions(pages_);
    const bool restarted = watch.restarts() != 0 && watch.steps() == 0;
    if (found.any() || restarted || (watch.resolve_coverage() && watch.steps() == 0)) alive = true;
    if (found.any()) longest_suspicion_ = std::max(longest_suspicion_, watch.steps());
    const bool numa_alone = found.any() && !found.any_without_numa();
    if (numa_alone || found.numa_walk != Contradiction::none) numa_contested_ = true;
  }
  return alive;
}

StepDecision ProcessAudit::on_step(unsigned step, const std::optional<Stillness>& still) {
  settle_geometry();
  if (plan_.whole_mm) totals_.on_walk(walk_sum());
  steps_ = step;
  if (still) {
    asleep_ = still->asleep;
    in_execve_ = still->in_execve;
    hardware_corrupted_ = still->hardware_corrupted;
    sleep_asked_ = true;
  }
  const bool maybe_asleep = !sleep_asked_ || asleep_;
  const bool watch_alive = watches_alive();
  const bool totals_alive = plan_.whole_mm && totals_.alive(maybe_asleep, counter_slack());
  if (totals_alive && totals_.numa_contested(counter_slack())) numa_contested_ = true;
  if (totals_alive && totals_.contradicted(maybe_asleep, counter_slack())) {
    longest_suspicion_ = std::max(longest_suspicion_, step);
  }

  const bool more_rollups = plan_.whole_mm && !asleep_ && totals_.wants_more_rollups();
  if (plan_.full) {
    return step >= kSeriesSteps && !more_rollups ? StepDecision::done : StepDecision::go_on;
  }
  if (!watch_alive && !totals_alive) return StepDecision::done;
  const bool late_starters = std::any_of(watches_.begin(), watches_.end(), [&](const VmaWatch& w) {
    return w.present() && !blamed_.contains(w.range().first) && w.steps() < kSeriesSteps &&
           w.contradictions(pages_).any();
  });
  const bool enough = step >= kSeriesSteps && !late_starters && !more_rollups;
  return enough || step >= (kMostRestarts + 1) * kSeriesSteps ? StepDecision::done
                                                              : StepDecision::go_on;
}

}  // namespace smaps_audit
