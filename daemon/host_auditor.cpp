// SPDX-License-Identifier: Apache-2.0
#include "daemon/host_auditor.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

namespace smaps_audit::service {
namespace {

/// Beyond its own deadline, an audit is given up with its worker.
constexpr Nanoseconds kAuditGrace = std::chrono::seconds(5);
constexpr Nanoseconds kPausePoll = std::chrono::seconds(1);
/// A worker may be broken: what it can make us keep has bounds.
constexpr std::size_t kMostProcesses = 1'000'000;
constexpr std::size_t kMostRefusedCalls = 32;
constexpr Nanoseconds kTendEvery = std::chrono::minutes(1);

store::ProcessKey key_of(const HostInfo& host, const Identity& identity) {
  return {
      .boot_id = host.boot_id, .pid = identity.pid, .start_time_ticks = identity.start_time_ticks};
}

}  // namespace

SchedulerOptions scheduler_options(const Settings& settings, Nanoseconds offset) {
  return {.interval = settings.audit.interval,
          .cpu_share = settings.audit.cpu_budget_percent / 100,
          .stall_budget = settings.audit.stall_budget,
          .stall_allowance_per_day = settings.audit.stall_allowance_per_day,
          .process_deadline = settings.audit.process_deadline,
          .quarantine_first = settings.worker.quarantine_first,
          .quarantine_longest = settings.worker.quarantine_longest,
          .offset = offset};
}

HostAuditor::HostAuditor(Parts parts, const Settings& settings, GroupOf group_of, Nanoseconds now,
                         Nanoseconds wall)
    : parts_(std::move(parts)),
      settings_(settings),
      group_of_(std::move(group_of)),
      scheduler_(scheduler_options(settings, parts_.offset), now, parts_.seed),
      last_order_(now),
      last_tidy_(now),
      started_(wall),
      config_loaded_(wall) {
  if (parts_.store == nullptr) return;
  parts_.store->end_other_boots(parts_.host.boot_id, wall);
  if (const auto open = parts_.store->open_findings(wall)) {
    for (const auto& finding : *open) carried_over_.push_back(finding.key.process);
  }
  tend_store(now, wall);
}

std::string HostAuditor::why_paused() const {
  if (!settings_.reading) return "configuration";
  if (::access(settings_.paths.off_file.c_str(), F_OK) == 0) return settings_.paths.off_file;
  return "";
}

OrderDeadlines HostAuditor::deadlines_of(const Order& order) const {
  OrderDeadlines deadlines{.read = settings_.audit.read_deadline,
                           .whole = settings_.audit.process_deadline};
  // The audit of a finding is made a second time, recorded.
  if (order.kind == OrderKind::audit) deadlines.whole = 2 * order.deadline + kAuditGrace;
  if (order.kind == OrderKind::screen) deadlines.whole *= static_cast<int>(order.pids.size());
  return deadlines;
}

Nanoseconds HostAuditor::send(const Order& order, Nanoseconds now) {
  last_order_ = now;
  parts_.worker.send(order, deadlines_of(order), now);
  return parts_.worker.next_look().value_or(now + kPausePoll);
}

Nanoseconds HostAuditor::step(Nanoseconds now, Nanoseconds wall) {
  if (const auto look = parts_.worker.next_look()) {
    if (now < *look) return *look;
    if (const auto loss = parts_.worker.look(now)) handle(*loss, now, wall);
    return parts_.worker.next_look().value_or(now);
  }
  const std::string paused = why_paused();
  parts_.log.state("reading", LogLevel::warning, Event::reading_paused,
                   paused.empty() ? "" : "stopped by " + paused);
  if (const auto start = parts_.worker.next_start()) {
    if (now < *start) return *start;
    if (const auto started = parts_.worker.ensure_started(now); !started) {
      parts_.log.state("worker", LogLevel::error, Event::worker_replaced,
                       started.error().message());
      return now + kPausePoll;
    }
    return parts_.worker.next_look().value_or(now + kPausePoll);
  }
  if (!parts_.worker.is_idle()) return now + kPausePoll;
  if (now - last_tended_ > kTendEvery) tend_store(now, wall);
  Nanoseconds wake = std::min(now + kPausePoll, last_order_ + ping_pause_);
  if (paused.empty()) {
    if (now < last_done_ + settings_.audit.min_pause) return last_done_ + settings_.audit.min_pause;
    const Scheduler::Step step = scheduler_.next(now);
    if (step.order) {
      if (step.order->kind == OrderKind::list) begin_list();
      ++worker_statistics_.orders;
      return send(*step.order, now);
    }
    const auto after = scheduler_.statistics(now);
    if (after.sweeps != statistics_.sweeps) news_ = true;
    statistics_ = after;
    wake = std::min(wake, step.not_before);
  }
  if (now - last_order_ >= ping_pause_) return send({.kind = OrderKind::ping}, now);
  return wake;
}

void HostAuditor::begin_list() {
  listing_.emplace();
  left_out_.clear();
}

// What is known of it stays: it is there, and was not asked.
void HostAuditor::leave_out(int pid) {
  if (!listing_ || !left_out_.insert(pid).second) return;
  const auto identity = ledger_.identity_of(pid);
  if (const auto* known = identity ? ledger_.find(*identity) : nullptr; known != nullptr) {
    listing_->push_back(*known);
  }
}

void HostAuditor::finish_list(Nanoseconds now, Nanoseconds wall) {
  std::vector<Identity> alive;
  for (const ProcessListing& process : *listing_) {
    alive.push_back({process.pid, process.start_time_ticks});
  }
  ledger_.tick(now);
  const auto changes = ledger_.listed(*std::exchange(listing_, std::nullopt), group_of_, wall);
  std::set<Identity> ended;
  for (const FindingChange& change : changes) {
    if (parts_.store != nullptr && ended.insert(change.identity).second) {
      parts_.store->end_process(key_of(parts_.host, change.identity), wall);
    }
    announce_resolved(change);
  }
  if (!changes.empty()) news_ = true;
  scheduler_.listed(ledger_.targets(), left_out_, now);
  end_carried_over(alive, wall);
}

// What an earlier run of the service left open: ended meanwhile, or to be looked at again soon.
void HostAuditor::end_carried_over(const std::vector<Identity>& alive, Nanoseconds wall) {
  for (const store::ProcessKey& key : std::exchange(carried_over_, {})) {
    const Identity identity{key.pid, key.start_time_ticks};
    if (std::find(alive.begin(), alive.end(), identity) == alive.end()) {
      parts_.store->end_process(key, wall);
    } else {
      scheduler_.look_into(identity);
    }
  }
}

void HostAuditor::handle(const Answer& answer, Nanoseconds now, Nanoseconds wall) {
  if (const auto* hello = std::get_if<Hello>(&answer)) {
    worker_statistics_.capabilities.clear();
    for (const auto& [name, none] : capability_flags({})) {
      const auto found = hello->capabilities.find(name);
      if (found != hello->capabilities.end()) {
        worker_statistics_.capabilities.insert(*found);
      }
    }
    parts_.log.state("worker", LogLevel::info, Event::other, "");
  } else if (const auto* process = std::get_if<ProcessListing>(&answer)) {
    // A worker that audits itself changes what it measures.
    const bool wanted = listing_ && process->pid != parts_.worker.pid();
    if (wanted && listing_->size() < kMostProcesses) listing_->push_back(*process);
  } else if (const auto* left_out = std::get_if<LeftOut>(&answer)) {
    leave_out(left_out->pid);
  } else if (const auto* screening = std::get_if<Screening>(&answer)) {
    ledger_.screened(*screening);
    scheduler_.screened(*screening, now);
    worker_statistics_.longest_read =
        std::max(worker_statistics_.longest_read, screening->read_time);
  } else if (const auto* audit = std::get_if<AuditAnswer>(&answer)) {
    take_audit(*audit, now, wall);
  } else if (const auto* done = std::get_if<Done>(&answer)) {
    finish_order(*done, now, wall);
  } else if (const auto* refused = std::get_if<Refused>(&answer)) {
    auto& calls = worker_statistics_.refused_calls;
    ++calls[calls.contains(refused->call) || calls.size() < kMostRefusedCalls ? refused->call
                                                                              : "other"];
    parts_.log.write(LogLevel::error, Event::worker_replaced,
                     "a worker tried a system call that it has no business with",
                     {{"call", refused->call}});
  }
}

void HostAuditor::finish_order(const Done& done, Nanoseconds now, Nanoseconds wall) {
  ++progress_;
  last_done_ = now;
  worker_statistics_.cpu += done.cpu;
  worker_statistics_.peak_rss_bytes =
      std::max(worker_statistics_.peak_rss_bytes, done.peak_rss_bytes);
  if (listing_) finish_list(now, wall);
  scheduler_.charge(done.cpu, now);
}

void HostAuditor::take_audit(const AuditAnswer& answer, Nanoseconds now, Nanoseconds wall) {
  ProcessReport report = answer.report;
  // What was denied or is gone doesn't tell when it was started; the list does.
  if (const auto listed = ledger_.identity_of(report.pid); report.start_time_ticks == 0 && listed) {
    report.start_time_ticks = listed->start_time_ticks;
  }
  const Identity identity{report.pid, report.start_time_ticks};
  ledger_.tick(now);
  store::Durability stored = store::Durability::lost;
  const ProcessListing* const process = ledger_.find(identity);
  const bool known = process != nullptr;
  const auto changes = ledger_.audited(report, wall);
  if (known && parts_.store != nullptr && (!report.findings.empty() || !changes.empty())) {
    const auto group = group_of_(*process);
    store::Sighting sighting{.boot_id = parts_.host.boot_id,
                             .kernel_release = parts_.host.kernel_release,
                             .tool_version = parts_.tool_version,
                             .group = group ? group->name : "",
                             .executable = std::nullopt,
                             .report = report,
                             .report_json = answer.json,
                             .when = wall};
    if (!process->executable.empty()) sighting.executable = process->executable;
    const auto recorded = parts_.store->record(sighting, take_capture(answer));
    stored = recorded.durability;
    if (recorded.capture_problem) {
      ++captures_lost_;
      parts_.log.state("capture", LogLevel::warning, Event::store_degraded,
                       recorded.capture_problem->message());
    }
    say_store_health();
  }
  for (const FindingChange& change : changes) {
    if (change.kind == FindingChange::Kind::opened) announce(change, report, stored);
    if (change.kind == FindingChange::Kind::resolved) announce_resolved(change);
  }
  // What vanished has no start time, and is missing in the next list.
  const auto asked =
      report.start_time_ticks != 0 ? std::optional{identity} : ledger_.identity_of(report.pid);
  if (asked) scheduler_.audited(*asked, ledger_.has_open_finding(*asked), now);
  if (!changes.empty()) news_ = true;
}

// Of several that were to be screened, the one whose files it was at.
int HostAuditor::ordered_pid(const WorkerLoss& loss) {
  if (!loss.order) return 0;
  const std::vector<int>& pids = loss.order->pids;
  const bool screened = loss.order->kind == OrderKind::screen &&
                        std::find(pids.begin(), pids.end(), loss.pid) != pids.end();
  return screened ? loss.pid : loss.order->pid;
}

void HostAuditor::handle(const WorkerLoss& loss, Nanoseconds now, Nanoseconds /*wall*/) {
  ++worker_statistics_.restarts[loss.cause];
  listing_.reset();
  LogFields fields{{"cause", loss.cause}, {"detail", loss.detail}};
  const int ordered = ordered_pid(loss);
  // An audit looks for others that share its target's memory; a list reads of everybody.
  const int listed = loss.pid != ordered ? loss.pid : 0;
  if (ordered != 0) scheduler_.stuck(ordered, now);
  if (listed != 0) scheduler_.list_stuck(listed, now);
  if (ordered == 0 && listed == 0) scheduler_.order_lost(now);
  const bool over_process = ordered != 0 || listed != 0;
  if (over_process) fields.emplace_back("pid", std::to_string(listed != 0 ? listed : ordered));
  parts_.log.write(loss.cause == "grew" ? LogLevel::info : LogLevel::warning,
                   over_process ? Event::target_quarantined : Event::worker_replaced,
                   over_process ? "a worker was lost over a process, which is left alone for now"
                                : "a worker was replaced",
                   fields);
  news_ = true;
}

void HostAuditor::reconfigure(const Settings& settings, GroupOf group_of, Nanoseconds now,
                              Nanoseconds wall) {
  settings_ = settings;
  group_of_ = std::move(group_of);
  scheduler_.reconfigure(scheduler_options(settings, parts_.offset), now);
  config_loaded_ = wall;
  config_problem_.clear();
  news_ = true;
}

void HostAuditor::refuse_configuration(const std::string& problem) {
  config_problem_ = problem;
  news_ = true;
}

bool HostAuditor::take_news() { return std::exchange(news_, false); }

bool HostAuditor::has_findings() const {
  Snapshot snapshot;
  ledger_.describe(snapshot);
  return !snapshot.findings.empty();
}

Snapshot HostAuditor::snapshot(Nanoseconds now, Nanoseconds wall) {
  Snapshot snapshot;
  snapshot.taken = wall;
  snapshot.started = started_;
  snapshot.tool_version = parts_.tool_version;
  snapshot.host = parts_.host;
  snapshot.paused_by = why_paused();
  snapshot.reading = snapshot.paused_by.empty();
  ledger_.tick(now);
  ledger_.describe(snapshot);
  snapshot.schedule = scheduler_.statistics(now);
  snapshot.interval = settings_.audit.interval;
  snapshot.cpu_budget_share = settings_.audit.cpu_budget_percent / 100;
  snapshot.stall_budget = settings_.audit.stall_budget;
  snapshot.worker = worker_statistics_;
  snapshot.worker.running = parts_.worker.is_running();
  snapshot.card = card_;
  if (card_) {
    for (const probes::CardProbe& run : card_->probes) {
      snapshot.probe_outcomes.push_back({run.probe, std::string{name_of(run.outcome)}});
    }
  }
  snapshot.config_ok = config_problem_.empty();
  snapshot.config_problem = config_problem_;
  snapshot.config_loaded = config_loaded_;
  snapshot.store.captures_lost = captures_lost_;
  for (const FindingSum& sum : snapshot.findings) snapshot.store.open_findings += sum.processes;
  if (parts_.store != nullptr) {
    const auto health = parts_.store->health();
    snapshot.store.healthy = !health.trouble;
    if (health.trouble) snapshot.store.problem = health.trouble->message();
    snapshot.store.waiting = health.pending;
    snapshot.store.lost = health.lost;
    snapshot.store.failed_writes = health.failed_writes;
    if (const auto size = parts_.store->size(wall)) {
      snapshot.store.findings = size->findings;
      snapshot.store.captures = size->captures;
      snapshot.store.bytes = size->database_bytes + size->capture_bytes;
    }
  }
  return snapshot;
}

}  // namespace smaps_audit::service
