// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "collect/host.h"
#include "config/settings.h"
#include "daemon/ledger.h"
#include "daemon/log.h"
#include "daemon/scheduler.h"
#include "daemon/snapshot.h"
#include "daemon/store/store.h"
#include "daemon/worker_link.h"

namespace smaps_audit::service {

/// What the service does with a host: asks the scheduler what is next, gives the worker its orders,
/// enters the answers into ledger and store, and says what has changed. Everything is announced
/// after it was stored. No waiting in here: step() says when it wants to be called again. All times
/// are arguments: `now` is monotonic, `wall` is of the calendar.
class HostAuditor {
 public:
  struct Parts {
    HostInfo host;
    std::string tool_version;
    Log& log;
    WorkerLink& worker;
    store::Store* store = nullptr;  ///< nullptr: nothing is kept
    Nanoseconds offset{};           ///< of the first sweep
    std::uint64_t seed = 0;
  };

  HostAuditor(Parts parts, const Settings& settings, GroupOf group_of, Nanoseconds now,
              Nanoseconds wall);

  /// Sends the next order if it is time. Returns when to call again.
  Nanoseconds step(Nanoseconds now, Nanoseconds wall);
  void handle(const Answer& answer, Nanoseconds now, Nanoseconds wall);
  void handle(const WorkerLoss& loss, Nanoseconds now, Nanoseconds wall);
  void reconfigure(const Settings& settings, GroupOf group_of, Nanoseconds now, Nanoseconds wall);
  void refuse_configuration(const std::string& problem);

  /// Rises with every order that a worker has carried out, and with its heartbeat: what feeds the
  /// watchdog.
  [[nodiscard]] std::uint64_t progress() const { return progress_ + parts_.worker.progress(); }
  /// A worker that has nothing to do is asked now and then whether it is there.
  void ping_every(Nanoseconds pause) { ping_pause_ = pause; }
  [[nodiscard]] Snapshot snapshot(Nanoseconds now, Nanoseconds wall);
  /// A sweep or an audit with something new has ended since the last call.
  bool take_news();
  [[nodiscard]] const ScheduleStatistics& statistics() const { return statistics_; }
  [[nodiscard]] bool has_findings() const;

 private:
  void begin_list();
  void leave_out(int pid);
  void finish_list(Nanoseconds now, Nanoseconds wall);
  void end_carried_over(const std::vector<Identity>& alive, Nanoseconds wall);
  void take_audit(const AuditAnswer& answer, Nanoseconds now, Nanoseconds wall);
  std::optional<store::CaptureDraft> take_capture(const AuditAnswer& answer);
  void announce(const FindingChange& change, const ProcessReport& report, store::Durability stored);
  void announce_resolved(const FindingChange& change);
  void tend_store(Nanoseconds now, Nanoseconds wall);
  void take_up_card(Nanoseconds wall);
  void say_store_health();
  static int ordered_pid(const WorkerLoss& loss);
  void finish_order(const Done& done, Nanoseconds now, Nanoseconds wall);
  [[nodiscard]] OrderDeadlines deadlines_of(const Order& order) const;
  Nanoseconds send(const Order& order, Nanoseconds now);  ///< when to look at it
  [[nodiscard]] std::string why_paused() const;

  Parts parts_;
  Settings settings_;
  GroupOf group_of_;
  Scheduler scheduler_;
  Ledger ledger_;
  ScheduleStatistics statistics_;
  std::optional<std::vector<ProcessListing>> listing_;
  std::set<int> left_out_;                       ///< of that list
  std::vector<store::ProcessKey> carried_over_;  ///< open in the store from before this start
  WorkerStatistics worker_statistics_;
  std::uint64_t captures_lost_ = 0;
  std::uint64_t progress_ = 0;
  Nanoseconds ping_pause_ = std::chrono::seconds(30);
  Nanoseconds last_order_{};
  Nanoseconds last_done_{};
  Nanoseconds last_tidy_{};
  Nanoseconds last_tended_{};
  std::optional<probes::BehaviourCard> card_;
  Nanoseconds started_{};
  Nanoseconds config_loaded_{};
  std::string config_problem_;
  bool news_ = false;
};

/// The scheduler's part of the settings.
SchedulerOptions scheduler_options(const Settings& settings, Nanoseconds offset);

}  // namespace smaps_audit::service
