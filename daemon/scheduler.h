// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <vector>

#include "daemon/protocol.h"

namespace smaps_audit::service {

using Nanoseconds = std::chrono::nanoseconds;

/// A process of this boot; a pid alone comes again.
struct Identity {
  int pid = 0;
  std::uint64_t start_time_ticks = 0;
  auto operator<=>(const Identity&) const = default;
};

struct SchedulerOptions {
  Nanoseconds interval = std::chrono::seconds(15);
  double cpu_share = 0.01;  ///< of one core
  Nanoseconds stall_budget = std::chrono::milliseconds(10);
  std::uint32_t stall_allowance_per_day = 1;
  Nanoseconds process_deadline = std::chrono::seconds(60);
  Nanoseconds quarantine_first = std::chrono::minutes(5);
  Nanoseconds quarantine_longest = std::chrono::hours(24);
  Nanoseconds offset{};  ///< of the first sweep, so that hosts do not sweep in step

  /// No target is audited in full again before this, unless it looks off.
  [[nodiscard]] Nanoseconds shortest_rotation() const { return 40 * interval; }
  /// What has a finding is audited again after this, to see whether it is still true.
  [[nodiscard]] Nanoseconds recheck() const { return 20 * interval; }
};

/// What a sweep found of a process.
struct Target {
  Identity identity;
  std::optional<std::uint64_t> page_table_bytes;
};

struct ScheduleStatistics {
  std::uint64_t targets = 0;
  std::uint64_t sweeps = 0;    ///< that were finished
  std::uint64_t overruns = 0;  ///< sweeps that were due before the one before them had ended
  std::uint64_t quarantined = 0;
  std::uint64_t unlisted = 0;  ///< quarantined before anything was known of them; no targets
  std::uint64_t beyond_stall_budget = 0;
  std::uint64_t never_audited = 0;
  std::optional<Nanoseconds> last_sweep_end;  ///< monotonic
  std::optional<Nanoseconds> last_sweep_age;
  std::optional<Nanoseconds> last_sweep_length;
  std::optional<Nanoseconds> last_rotation_length;
  Nanoseconds rotation_begun{};
  Nanoseconds worst_predicted_stall{};  ///< of what may be read in full
};

/// Which read comes next, and when. Pure: the time is an argument. Nothing is ordered while the CPU
/// time used is beyond its share, but an audit of what looks off may run into debt, once. Where a
/// sweep takes longer than the interval, the audits that are due then have as much as it took, for
/// else none would ever come.
class Scheduler {
 public:
  Scheduler(const SchedulerOptions& options, Nanoseconds now, std::uint64_t seed);

  struct Step {
    std::optional<Order> order;  ///< nullopt: nothing before `not_before`
    Nanoseconds not_before{};
  };
  /// `order_now` if there is something to do; one order at a time.
  Step next(Nanoseconds now);

  /// The answer to `list`; what is not in it is forgotten. `left_out`: of those that it was to
  /// leave out, what is still there.
  void listed(const std::vector<Target>& targets, const std::set<int>& left_out, Nanoseconds now);
  void screened(const Screening& screening, Nanoseconds now);
  /// `open_finding`: it has one now.
  void audited(const Identity& identity, bool open_finding, Nanoseconds now);
  /// Audit it before the others.
  void look_into(const Identity& identity);
  /// Its read got stuck or the worker died over it: left alone, longer each time.
  void stuck(int pid, Nanoseconds now);
  /// A list got stuck over it, or a worker died over listing it: the next list, which is due at
  /// once, leaves it out, and so on, longer each time.
  void list_stuck(int pid, Nanoseconds now);
  /// The worker died over no process in particular.
  void order_lost(Nanoseconds now);
  void charge(Nanoseconds cpu, Nanoseconds now);
  /// New settings; what is known of targets stays.
  void reconfigure(const SchedulerOptions& options, Nanoseconds now);

  /// How long one read of it may hold its mmap_lock, from the size of its page tables.
  [[nodiscard]] Nanoseconds predicted_stall(std::uint64_t page_table_bytes) const;
  [[nodiscard]] bool is_quarantined(const Identity& identity, Nanoseconds now) const;
  [[nodiscard]] bool is_beyond_stall_budget(const Identity& identity) const;
  [[nodiscard]] ScheduleStatistics statistics(Nanoseconds now) const;

 private:
  struct Quarantine {
    Nanoseconds length{};  ///< of the last one
    Nanoseconds until{};
  };

  struct Entry {
    std::optional<std::uint64_t> page_table_bytes;
    Nanoseconds first_seen{};
    std::optional<Nanoseconds> last_audit;
    std::optional<Nanoseconds> allowed_at;  ///< beyond the stall budget: its next audit
    bool open_finding = false;
    Nanoseconds suspect_pause{};
    Nanoseconds suspect_not_before{};
    Quarantine quarantine = {};
  };

  [[nodiscard]] bool is_beyond(const Entry& entry) const;
  void prolong(Quarantine& quarantine, Nanoseconds now) const;
  [[nodiscard]] Order list_order(Nanoseconds now) const;
  std::optional<Order> screen_order(Nanoseconds now);
  [[nodiscard]] Nanoseconds due_at(const Entry& entry) const;
  [[nodiscard]] std::optional<Identity> find_suspect(Nanoseconds now) const;
  [[nodiscard]] std::optional<Identity> find_oldest(Nanoseconds now, Nanoseconds& next_due) const;
  Nanoseconds random_up_to(Nanoseconds most);
  [[nodiscard]] bool is_turn_of_audits(Nanoseconds now) const;
  void begin_rotation(Nanoseconds now);
  void leave_rotation(const Identity& identity, Nanoseconds now);
  void finish_sweep(Nanoseconds now);
  [[nodiscard]] Order audit_of(const Identity& identity) const;
  [[nodiscard]] Nanoseconds solvent_at(Nanoseconds now) const;
  void accrue(Nanoseconds now);

  SchedulerOptions options_;
  std::mt19937_64 random_;
  std::map<Identity, Entry> entries_;
  std::map<int, Quarantine> unlisted_;  ///< by pid: lists leave them out
  std::deque<Identity> to_screen_;
  std::vector<Identity> screening_;  ///< of the order under way, without an answer so far
  std::set<Identity> suspects_;
  bool listing_ = false;
  bool sweeping_ = false;
  Nanoseconds next_sweep_{};
  Nanoseconds sweep_begun_{};
  Nanoseconds sweep_cpu_{};    ///< charged in this sweep, or in the last
  Nanoseconds audits_turn_{};  ///< CPU time that audits may use before the next sweep begins
  double balance_ns_ = 0;      ///< CPU time that may be used; negative: debt
  Nanoseconds balance_at_{};
  double stall_ns_per_table_ = 12'000;
  std::set<Identity> rotation_;  ///< still to be audited in it
  ScheduleStatistics statistics_;
};

}  // namespace smaps_audit::service
