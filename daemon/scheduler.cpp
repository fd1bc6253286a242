// SPDX-License-Identifier: Apache-2.0
#include "daemon/scheduler.h"

#include <algorithm>
#include <cmath>

namespace smaps_audit::service {
namespace {

constexpr double kTableBytes = 4096;
/// Their answers wake the parent once; some milliseconds, after which the budgets are asked again.
constexpr std::size_t kScreenedAtOnce = 32;
/// Fewer page tables say more of the cost of a system call than of a walk.
constexpr std::uint64_t kFewestTablesToLearnFrom = 64;
constexpr double kLearningRate = 0.1;
constexpr double kCheapestTableNs = 500;
/// What an audit of a suspect may borrow of the CPU budget.
constexpr double kSuspectCreditNs = 2e9;
constexpr Nanoseconds kFirstSuspectPause = std::chrono::minutes(1);
constexpr Nanoseconds kDay = std::chrono::hours(24);

double ns(Nanoseconds duration) { return static_cast<double>(duration.count()); }

}  // namespace

Scheduler::Scheduler(const SchedulerOptions& options, Nanoseconds now, std::uint64_t seed)
    : options_(options), random_(seed), next_sweep_(now + options.offset), balance_at_(now) {
  // One sweep may begin at once.
  balance_ns_ = options.cpu_share * ns(options.interval);
  statistics_.rotation_begun = now;
}

void Scheduler::reconfigure(const SchedulerOptions& options, Nanoseconds now) {
  accrue(now);
  options_ = options;
  next_sweep_ = std::min(next_sweep_, now + options.interval);
}

void Scheduler::accrue(Nanoseconds now) {
  balance_ns_ += options_.cpu_share * ns(now - balance_at_);
  // What was not used in two intervals is gone: a quiet hour is no reason for a storm.
  balance_ns_ = std::min(balance_ns_, 2 * options_.cpu_share * ns(options_.interval));
  balance_at_ = now;
}

void Scheduler::charge(Nanoseconds cpu, Nanoseconds now) {
  accrue(now);
  balance_ns_ -= ns(cpu);
  if (sweeping_) {
    sweep_cpu_ += cpu;
  } else {
    audits_turn_ -= cpu;
  }
}

Nanoseconds Scheduler::solvent_at(Nanoseconds now) const {
  if (balance_ns_ >= 0) return now;
  return now + Nanoseconds{static_cast<std::int64_t>(-balance_ns_ / options_.cpu_share) + 1};
}

Nanoseconds Scheduler::random_up_to(Nanoseconds most) {
  return Nanoseconds{std::uniform_int_distribution<std::int64_t>{0, most.count()}(random_)};
}

Nanoseconds Scheduler::predicted_stall(std::uint64_t page_table_bytes) const {
  const double tables = static_cast<double>(page_table_bytes) / kTableBytes;
  return Nanoseconds{std::llround(tables * stall_ns_per_table_)};
}

bool Scheduler::is_beyond(const Entry& entry) const {
  return entry.page_table_bytes && predicted_stall(*entry.page_table_bytes) > options_.stall_budget;
}

bool Scheduler::is_beyond_stall_budget(const Identity& identity) const {
  const auto found = entries_.find(identity);
  return found != entries_.end() && is_beyond(found->second);
}

bool Scheduler::is_quarantined(const Identity& identity, Nanoseconds now) const {
  const auto found = entries_.find(identity);
  return found != entries_.end() && found->second.quarantine.until > now;
}

Order Scheduler::audit_of(const Identity& identity) const {
  return {.kind = OrderKind::audit,
          .pid = identity.pid,
          .deadline = options_.process_deadline,
          .capture = true};
}

std::optional<Order> Scheduler::screen_order(Nanoseconds now) {
  Order order{.kind = OrderKind::screen};
  screening_.clear();
  while (!to_screen_.empty() && order.pids.size() < kScreenedAtOnce) {
    const Identity identity = to_screen_.front();
    to_screen_.pop_front();
    if (!entries_.contains(identity) || is_quarantined(identity, now)) continue;
    screening_.push_back(identity);
    order.pids.push_back(identity.pid);
  }
  if (order.pids.empty()) return std::nullopt;
  const double tables = ns(options_.stall_budget) / stall_ns_per_table_;
  order.most_page_table_bytes = static_cast<std::uint64_t>(tables * kTableBytes);
  return order;
}

Scheduler::Step Scheduler::next(Nanoseconds now) {
  accrue(now);
  if (const auto suspect = find_suspect(now); suspect && balance_ns_ > -kSuspectCreditNs) {
    return {audit_of(*suspect), now};
  }
  if (const Nanoseconds solvent = solvent_at(now); solvent > now) return {std::nullopt, solvent};
  if (!sweeping_ && now >= next_sweep_ && !is_turn_of_audits(now)) {
    listing_ = sweeping_ = true;
    sweep_begun_ = now;
    sweep_cpu_ = Nanoseconds{};
    return {list_order(now), now};
  }
  if (auto screening = screen_order(now)) return {*std::move(screening), now};
  if (sweeping_ && !listing_) finish_sweep(now);
  Nanoseconds not_before = next_sweep_;
  if (const auto oldest = find_oldest(now, not_before)) return {audit_of(*oldest), now};
  return {std::nullopt, std::max(not_before, now + Nanoseconds{1})};
}

void Scheduler::listed(const std::vector<Target>& targets, const std::set<int>& left_out,
                       Nanoseconds now) {
  listing_ = false;
  // The others have ended, or could be listed again.
  std::erase_if(unlisted_, [&](const auto& entry) { return !left_out.contains(entry.first); });
  std::map<Identity, Entry> old = std::move(entries_);
  entries_.clear();
  to_screen_.clear();
  for (const Target& target : targets) {
    const auto known = old.find(target.identity);
    Entry entry;
    if (known == old.end()) {
      entry.first_seen = now;
    } else {
      entry = known->second;
    }
    entry.page_table_bytes = target.page_table_bytes;
    if (is_beyond(entry)) {
      if (!entry.allowed_at && options_.stall_allowance_per_day != 0) {
        entry.allowed_at = now + random_up_to(kDay / options_.stall_allowance_per_day);
      }
    } else if (entry.quarantine.until <= now) {
      to_screen_.push_back(target.identity);
    }
    entries_.emplace(target.identity, entry);
  }
  for (const auto& [identity, entry] : old) {
    if (entries_.contains(identity)) continue;
    suspects_.erase(identity);
    leave_rotation(identity, now);
  }
  if (rotation_.empty()) begin_rotation(now);
}

void Scheduler::screened(const Screening& screening, Nanoseconds now) {
  std::erase_if(screening_, [&](const Identity& each) { return each.pid == screening.pid; });
  const auto found = entries_.find({screening.pid, screening.start_time_ticks});
  if (found == entries_.end()) return;
  Entry& entry = found->second;
  if (!screening.suspicious) {
    suspects_.erase(found->first);
    entry.suspect_pause = Nanoseconds{};
  } else if (now >= entry.suspect_not_before) {
    suspects_.insert(found->first);
  }
  const std::uint64_t tables =
      entry.page_table_bytes.value_or(0) / static_cast<std::uint64_t>(kTableBytes);
  if (tables >= kFewestTablesToLearnFrom && screening.problem.empty()) {
    const double measured = ns(screening.read_time) / static_cast<double>(tables);
    stall_ns_per_table_ += kLearningRate * (measured - stall_ns_per_table_);
    stall_ns_per_table_ = std::max(stall_ns_per_table_, kCheapestTableNs);
  }
}

void Scheduler::audited(const Identity& identity, bool open_finding, Nanoseconds now) {
  leave_rotation(identity, now);
  const auto found = entries_.find(identity);
  if (found == entries_.end()) return;
  Entry& entry = found->second;
  entry.last_audit = now;
  entry.open_finding = open_finding;
  entry.quarantine = {};
  if (suspects_.erase(identity) != 0) {
    // Looked into. Again only after a while, longer each time that it looks off all the same.
    entry.suspect_pause = entry.suspect_pause == Nanoseconds{}
                              ? kFirstSuspectPause
                              : std::min(2 * entry.suspect_pause, options_.shortest_rotation());
    entry.suspect_not_before = now + entry.suspect_pause;
  }
  if (is_beyond(entry) && options_.stall_allowance_per_day != 0) {
    const Nanoseconds share = kDay / options_.stall_allowance_per_day;
    entry.allowed_at = now + share - share / 8 + random_up_to(share / 4);
  }
}

void Scheduler::look_into(const Identity& identity) {
  const auto found = entries_.find(identity);
  if (found != entries_.end() && !is_beyond(found->second)) suspects_.insert(identity);
}

void Scheduler::stuck(int pid, Nanoseconds now) {
  listing_ = false;
  // The others that it was to screen come next; their turn passes over what is in quarantine.
  to_screen_.insert(to_screen_.begin(), screening_.begin(), screening_.end());
  screening_.clear();
  const auto found = entries_.lower_bound({pid, 0});
  if (found == entries_.end() || found->first.pid != pid) return;
  Entry& entry = found->second;
  prolong(entry.quarantine, now);
  suspects_.erase(found->first);
  leave_rotation(found->first, now);
}

void Scheduler::prolong(Quarantine& quarantine, Nanoseconds now) const {
  quarantine.length = quarantine.length == Nanoseconds{}
                          ? options_.quarantine_first
                          : std::min(2 * quarantine.length, options_.quarantine_longest);
  quarantine.until = now + quarantine.length;
}

void Scheduler::list_stuck(int pid, Nanoseconds now) {
  stuck(pid, now);
  prolong(unlisted_[pid], now);
  sweeping_ = false;
  next_sweep_ = now;
}

Order Scheduler::list_order(Nanoseconds now) const {
  Order order{.kind = OrderKind::list};
  for (const auto& [pid, quarantine] : unlisted_) {
    if (quarantine.until > now && order.pids.size() < kMostPids) order.pids.push_back(pid);
  }
  return order;
}

void Scheduler::order_lost(Nanoseconds now) {
  if (!listing_) return;
  listing_ = sweeping_ = false;
  next_sweep_ = now + options_.interval;
}

Nanoseconds Scheduler::due_at(const Entry& entry) const {
  if (is_beyond(entry)) return entry.allowed_at.value_or(Nanoseconds::max());
  if (!entry.last_audit) return entry.first_seen + options_.interval;
  const Nanoseconds pause = entry.open_finding ? options_.recheck() : options_.shortest_rotation();
  return *entry.last_audit + pause;
}

std::optional<Identity> Scheduler::find_suspect(Nanoseconds now) const {
  for (const Identity& identity : suspects_) {
    if (!is_quarantined(identity, now)) return identity;
  }
  return std::nullopt;
}

std::optional<Identity> Scheduler::find_oldest(Nanoseconds now, Nanoseconds& next_due) const {
  std::optional<Identity> oldest;
  Nanoseconds oldest_due = Nanoseconds::max();
  for (const auto& [identity, entry] : entries_) {
    const Nanoseconds due = std::max(due_at(entry), entry.quarantine.until);
    if (due > now) {
      next_due = std::min(next_due, due);
    } else if (due < oldest_due) {
      oldest = identity;
      oldest_due = due;
    }
  }
  return oldest;
}

bool Scheduler::is_turn_of_audits(Nanoseconds now) const {
  Nanoseconds unused = Nanoseconds::max();
  return audits_turn_ > Nanoseconds{} && find_oldest(now, unused);
}

void Scheduler::begin_rotation(Nanoseconds now) {
  statistics_.rotation_begun = now;
  for (const auto& [identity, entry] : entries_) {
    if (!is_beyond(entry) && entry.quarantine.until <= now) rotation_.insert(identity);
  }
}

void Scheduler::leave_rotation(const Identity& identity, Nanoseconds now) {
  if (rotation_.erase(identity) == 0 || !rotation_.empty()) return;
  statistics_.last_rotation_length = now - statistics_.rotation_begun;
  begin_rotation(now);
}

void Scheduler::finish_sweep(Nanoseconds now) {
  sweeping_ = false;
  ++statistics_.sweeps;
  statistics_.last_sweep_end = now;
  statistics_.last_sweep_length = now - sweep_begun_;
  next_sweep_ += options_.interval;
  audits_turn_ = now - sweep_begun_ > options_.interval ? sweep_cpu_ : Nanoseconds{};
  if (next_sweep_ <= now) {
    const auto missed = (now - next_sweep_) / options_.interval + 1;
    statistics_.overruns += static_cast<std::uint64_t>(missed);
    next_sweep_ += missed * options_.interval;
  }
}

ScheduleStatistics Scheduler::statistics(Nanoseconds now) const {
  ScheduleStatistics statistics = statistics_;
  statistics.targets = entries_.size();
  for (const auto& [pid, quarantine] : unlisted_) {
    const auto known = entries_.lower_bound({pid, 0});
    if (known == entries_.end() || known->first.pid != pid) ++statistics.unlisted;
  }
  if (statistics.last_sweep_end) statistics.last_sweep_age = now - *statistics.last_sweep_end;
  for (const auto& [identity, entry] : entries_) {
    if (entry.quarantine.until > now) ++statistics.quarantined;
    if (!entry.last_audit) ++statistics.never_audited;
    if (is_beyond(entry)) {
      ++statistics.beyond_stall_budget;
    } else if (entry.page_table_bytes) {
      statistics.worst_predicted_stall =
          std::max(statistics.worst_predicted_stall, predicted_stall(*entry.page_table_bytes));
    }
  }
  return statistics;
}

}  // namespace smaps_audit::service
