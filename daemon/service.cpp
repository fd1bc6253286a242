// SPDX-License-Identifier: Apache-2.0
#include "daemon/service.h"

#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <csignal>
#include <ctime>
#include <iostream>
#include <memory>
#include <random>

#include "cli/exit_code.h"
#include "collect/live_kernel_view.h"
#include "config/settings_parser.h"
#include "daemon/group_of.h"
#include "daemon/host_auditor.h"
#include "daemon/log.h"
#include "daemon/machine_offset.h"
#include "daemon/oom_kills.h"
#include "daemon/privileges.h"
#include "daemon/publisher.h"
#include "daemon/sd_event_ptr.h"
#include "daemon/spawner.h"
#include "daemon/store/store.h"
#include "daemon/web/web_server.h"
#include "daemon/web_totals.h"
#include "daemon/worker_link.h"

namespace smaps_audit::service {
namespace {

constexpr Nanoseconds kPublishPause = std::chrono::seconds(1);
constexpr Nanoseconds kPublishAtLeast = std::chrono::seconds(15);

Nanoseconds clock_now(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return std::chrono::seconds{now.tv_sec} + Nanoseconds{now.tv_nsec};
}
Nanoseconds monotonic_now() { return clock_now(CLOCK_MONOTONIC); }
Nanoseconds wall_now() { return clock_now(CLOCK_REALTIME); }

// Everything of one run. Members are destroyed from the last to the first: the web server before
// what it shows, the worker's link before the spawner.
class Service {
 public:
  Service(ServiceOptions options, Settings settings)
      : options_(std::move(options)), settings_(std::move(settings)), log_(settings_.log) {}

  int run() {
    if (const auto prepared = prepare(); !prepared) {
      log_.error(prepared.error().message());
      return prepared.error().code == ErrorCode::usage ? kExitBadConfig : kExitCannotRun;
    }
    if (const auto watching = watch(); !watching) {
      log_.error(watching.error().message());
      return kExitInternal;
    }
    log_.info("started",
              {{"version", SMAPS_AUDIT_VERSION}, {"kernel_release", host_.kernel_release}});
    ::sd_notify(0, "READY=1\nSTATUS=Waiting for the first sweep");
    step();
    ::sd_event_loop(event_.get());
    ::sd_notify(0, "STOPPING=1");
    log_.info("stopped", {{"exit_code", std::to_string(exit_code_)}});
    return exit_code_;
  }

 private:
  // In this order: what needs capabilities or one thread comes first.
  Result<Ok> prepare() {
    SpawnerOptions spawning{.worker_command = options_.worker_command,
                            .worker_memory_bytes = settings_.worker.memory_limit_bytes};
    if (settings_.paths.proc_root) {
      spawning.worker_command.insert(spawning.worker_command.end(),
                                     {"--proc-root", *settings_.paths.proc_root});
    }
    if (settings_.paths.sys_root) {
      spawning.worker_command.insert(spawning.worker_command.end(),
                                     {"--sys-root", *settings_.paths.sys_root});
    }
    for (const std::string& word : settings_.worker.without) {
      spawning.worker_command.insert(spawning.worker_command.end(), {"--without", word});
    }
    spawner_options_ = spawning;
    auto spawner = Spawner::start(spawner_options_);
    if (!spawner) return spawner.error();
    spawner_.emplace(*std::move(spawner));
    if (const auto dropped = drop_all_capabilities(); !dropped) return dropped.error();
    LiveKernelView view{settings_.paths.proc_root.value_or(LiveKernelView::kProcRoot),
                        settings_.paths.sys_root.value_or(LiveKernelView::kSysRoot)};
    const auto host = read_host_info(view);
    if (!host) return host.error();
    host_ = *host;
    open_store();
    link_.emplace(*spawner_,
                  WorkerLink::Options{.memory_limit_bytes = settings_.worker.memory_limit_bytes,
                                      .oom_kills = [] {
                                        LiveKernelView own;
                                        return read_oom_kills(own);
                                      }});
    auditor_.emplace(HostAuditor::Parts{.host = host_,
                                        .tool_version = SMAPS_AUDIT_VERSION,
                                        .log = log_,
                                        .worker = *link_,
                                        .store = store_ ? &*store_ : nullptr,
                                        .offset = options_.once ? Nanoseconds{}
                                                                : offset_of_this_machine(
                                                                      settings_.audit.interval),
                                        .seed = std::random_device{}()},
                     settings_, group_of(settings_.targets), monotonic_now(), wall_now());
    publish();
    return start_web();
  }

  void open_store() {
    auto opened = store::Store::open(
        {.directory = settings_.store.path,
         .limits = {.findings = settings_.store.findings, .captures = settings_.store.captures}},
        wall_now());
    if (opened) {
      store_.emplace(*std::move(opened));
      return;
    }
    // Metrics and log go on without it.
    store_problem_ = opened.error().message();
    log_.state("store", LogLevel::error, Event::store_degraded, store_problem_);
  }

  Result<Ok> start_web() {
    if (options_.no_web || !settings_.web.enable) return Ok{};
    WebOptions web;
    web.listen_addresses = options_.listen;
    if (web.listen_addresses.empty()) web.listen_addresses = settings_.web.listen;
    web.systemd_sockets = options_.systemd_sockets || ::sd_listen_fds(0) > 0;
    if (web.systemd_sockets) web.listen_addresses.clear();
    web.web_config_file = options_.web_config.value_or(settings_.web.config_file.value_or(""));
    auto server = WebServer::start(
        web, [this](const HttpRequest& request) { return publisher_.handle(request); });
    if (!server) {
      Error wrong = server.error();
      // Of what was read here, only files of the configuration can be malformed.
      if (wrong.code == ErrorCode::malformed) wrong.code = ErrorCode::usage;
      return wrong;
    }
    web_ = *std::move(server);
    for (const std::string& address : web_->addresses()) {
      log_.info("listening", {{"address", address}});
    }
    return Ok{};
  }

  Result<Ok> watch() {
    sd_event* event = nullptr;
    if (::sd_event_new(&event) < 0) {
      return Error{.code = ErrorCode::io, .what = "cannot make an event loop"};
    }
    event_.reset(event);
    sigset_t signals;
    ::sigemptyset(&signals);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&signals, signal);
    ::sigprocmask(SIG_BLOCK, &signals, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    const bool added = add_signal(SIGTERM) && add_signal(SIGINT) && add_signal(SIGHUP) &&
                       add_io(spawner_->descriptor(), spawner_source_, on_spawner) &&
                       ::sd_event_add_time(event_.get(), &timer_raw_, CLOCK_MONOTONIC, 0, 1000,
                                           on_timer, this) >= 0;
    if (!added) return Error{.code = ErrorCode::io, .what = "cannot watch events"};
    timer_.reset(timer_raw_);
    std::uint64_t watchdog_us = 0;
    if (::sd_watchdog_enabled(0, &watchdog_us) > 0) {
      auditor_->ping_every(std::chrono::microseconds{watchdog_us / 4});
    }
    return Ok{};
  }

  bool add_signal(int signal) {
    sd_event_source* source = nullptr;
    if (::sd_event_add_signal(event_.get(), &source, signal, on_signal, this) < 0) return false;
    signal_sources_.emplace_back(source);
    return true;
  }

  bool add_io(int descriptor, SourcePtr& source, sd_event_io_handler_t handler) {
    sd_event_source* raw = nullptr;
    if (::sd_event_add_io(event_.get(), &raw, descriptor, EPOLLIN, handler, this) < 0) return false;
    source.reset(raw);
    return true;
  }

  static int on_signal(sd_event_source* /*source*/, const signalfd_siginfo* info, void* self) {
    auto& service = *static_cast<Service*>(self);
    if (info->ssi_signo == SIGHUP) {
      service.reload();
    } else {
      service.finish(kExitClean);
    }
    return 0;
  }

  static int on_spawner(sd_event_source* /*source*/, int /*fd*/, std::uint32_t /*events*/,
                        void* self) {
    static_cast<Service*>(self)->take_events();
    return 0;
  }

  static int on_answers(sd_event_source* /*source*/, int /*fd*/, std::uint32_t /*events*/,
                        void* self) {
    static_cast<Service*>(self)->take_answers();
    return 0;
  }

  static int on_timer(sd_event_source* /*source*/, std::uint64_t /*usec*/, void* self) {
    static_cast<Service*>(self)->step();
    return 0;
  }

  void finish(int exit_code) {
    exit_code_ = exit_code;
    ::sd_event_exit(event_.get(), 0);
  }

  void take_events() {
    while (const auto event = spawner_->next_event()) {
      if (event->kind == WorkerEvent::Kind::spawner_gone) {
        log_.error("the spawner is gone; the service ends, to be started anew");
        finish(kExitInternal);
        return;
      }
      // What it said before it ended counts.
      if (event->kind == WorkerEvent::Kind::ended) take_answers();
      if (const auto loss = link_->handle(*event, monotonic_now())) {
        auditor_->handle(*loss, monotonic_now(), wall_now());
      }
    }
    watch_worker();
    step();
  }

  void watch_worker() {
    if (link_->descriptor() == watched_) return;
    answers_source_.reset();
    watched_ = link_->descriptor();
    if (watched_ >= 0) add_io(watched_, answers_source_, on_answers);
  }

  void take_answers() {
    for (const Answer& answer : link_->read_answers()) {
      auditor_->handle(answer, monotonic_now(), wall_now());
    }
    watch_worker();
    step();
  }

  void step() {
    const Nanoseconds wake = auditor_->step(monotonic_now(), wall_now());
    watch_worker();
    if (auditor_->progress() != fed_) {
      fed_ = auditor_->progress();
      ::sd_notify(0, "WATCHDOG=1");
    }
    const Nanoseconds now = monotonic_now();
    const bool news = auditor_->take_news() || news_;
    news_ = news;
    const Nanoseconds since = now - published_;
    if ((news && since >= kPublishPause) || since >= kPublishAtLeast) publish();
    Nanoseconds next = std::min(wake, published_ + kPublishAtLeast);
    if (news_) next = std::min(next, published_ + kPublishPause);
    const auto usec = std::chrono::ceil<std::chrono::microseconds>(next).count();
    ::sd_event_source_set_time(timer_.get(),
                               static_cast<std::uint64_t>(std::max<std::int64_t>(usec, 1)));
    ::sd_event_source_set_enabled(timer_.get(), SD_EVENT_ONESHOT);
    if (options_.once) end_if_done();
  }

  // --once: when everything that can be was audited in full.
  void end_if_done() {
    const auto statistics = auditor_->statistics();
    const bool done =
        statistics.sweeps > 0 &&
        statistics.never_audited <= statistics.beyond_stall_budget + statistics.quarantined;
    if (done) finish(auditor_->has_findings() ? kExitFinding : kExitClean);
  }

  void publish() {
    published_ = monotonic_now();
    news_ = false;
    auto snapshot = std::make_shared<Snapshot>(auditor_->snapshot(published_, wall_now()));
    snapshot->exported_groups = exported_.choose(*snapshot, settings_.limits.exported_groups);
    if (!store_) {
      snapshot->store.healthy = false;
      snapshot->store.problem = store_problem_;
    }
    say_status(*snapshot);
    publisher_.publish(std::move(snapshot), web_ ? totals_of(web_->counts()) : WebTotals{});
  }

  void say_status(const Snapshot& snapshot) {
    std::uint64_t wrong = 0;
    for (const GroupSnapshot& group : snapshot.groups) wrong += group.processes_with_finding;
    const std::string status = snapshot.reading
                                   ? std::to_string(snapshot.processes) + " processes watched, " +
                                         std::to_string(wrong) + " misreported"
                                   : "Reading is stopped by " + snapshot.paused_by;
    ::sd_notify(0, ("STATUS=" + status).c_str());
  }

  // Whole or not at all; what a running process cannot change needs a restart, and is named.
  void reload() {
    ::sd_notify(
        0, ("RELOADING=1\nMONOTONIC_USEC=" +
            std::to_string(
                std::chrono::duration_cast<std::chrono::microseconds>(monotonic_now()).count()))
               .c_str());
    reload_settings();
    reload_web();
    news_ = true;
    step();
    ::sd_notify(0, "READY=1");
  }

  void reload_settings() {
    if (options_.config_file.empty()) return;
    auto loaded = load_settings(options_.config_file);
    if (const auto* problems = std::get_if<std::vector<SettingsProblem>>(&loaded)) {
      const std::string text = problems_text(options_.config_file, *problems);
      log_.write(LogLevel::error, Event::configuration_refused,
                 "the configuration is wrong; the one before it stays in force",
                 {{"problems", text}});
      auditor_->refuse_configuration(text);
      return;
    }
    Settings fresh = std::get<Settings>(std::move(loaded));
    warn_of_restart(fresh);
    settings_ = std::move(fresh);
    log_.configure(settings_.log);
    auditor_->reconfigure(settings_, group_of(settings_.targets), monotonic_now(), wall_now());
    log_.info("configuration reloaded", {{"file", options_.config_file}});
  }

  void warn_of_restart(Settings& fresh) {
    const auto keep = [this](const char* key, auto& value, const auto& old) {
      if (value == old) return;
      log_.write(LogLevel::warning, Event::other, "a change that takes a restart", {{"key", key}});
      value = old;
    };
    keep("web", fresh.web, settings_.web);
    keep("store", fresh.store, settings_.store);
    keep("paths.proc_root", fresh.paths.proc_root, settings_.paths.proc_root);
    keep("paths.sys_root", fresh.paths.sys_root, settings_.paths.sys_root);
    keep("worker.without", fresh.worker.without, settings_.worker.without);
    keep("worker.memory_limit", fresh.worker.memory_limit_bytes,
         settings_.worker.memory_limit_bytes);
  }

  void reload_web() {
    if (!web_) return;
    const auto done = web_->reconfigure();
    log_.state("web configuration", LogLevel::error, Event::configuration_refused,
               done ? "" : done.error().message());
  }

  ServiceOptions options_;
  Settings settings_;
  Log log_;
  HostInfo host_;
  SpawnerOptions spawner_options_;
  std::optional<Spawner> spawner_;
  std::optional<store::Store> store_;
  std::string store_problem_;
  std::optional<WorkerLink> link_;
  std::optional<HostAuditor> auditor_;
  ExportChoice exported_;
  Publisher publisher_;
  std::unique_ptr<WebServer> web_;
  EventPtr event_;
  std::vector<SourcePtr> signal_sources_;
  SourcePtr spawner_source_;
  SourcePtr answers_source_;
  sd_event_source* timer_raw_ = nullptr;
  SourcePtr timer_;
  int watched_ = -1;
  std::uint64_t fed_ = 0;
  Nanoseconds published_{};
  bool news_ = false;
  int exit_code_ = kExitClean;
};

}  // namespace

int run_service(const ServiceOptions& options) {
  Settings settings;
  if (!options.config_file.empty()) {
    auto loaded = load_settings(options.config_file);
    if (const auto* problems = std::get_if<std::vector<SettingsProblem>>(&loaded)) {
      std::cerr << problems_text(options.config_file, *problems);
      return kExitBadConfig;
    }
    settings = std::get<Settings>(std::move(loaded));
  }
  if (options.once) settings.audit.cpu_budget_percent = 100;
  return Service{options, std::move(settings)}.run();
}

}  // namespace smaps_audit::service
