// SPDX-License-Identifier: Apache-2.0
#include "cli/probe.h"

#include <algorithm>
#include <ostream>

#include "cli/card_store.h"
#include "cli/command_line.h"
#include "cli/exit_code.h"
#include "cli/render.h"
#include "probes/card.h"
#include "probes/catalogue.h"
#include "probes/gate.h"
#include "probes/host_switch.h"
#include "report/printable.h"
#include "report/probe_report.h"

namespace smaps_audit {
namespace {

using probes::Outcome;
using probes::Probe;
using probes::ProbeResult;

ProbeResult skipped(const Probe& probe, const std::string& why) {
  ProbeResult result;
  result.probe = probe.name;
  result.answer.outcome = Outcome::skipped;
  result.answer.reason = why;
  return result;
}

int exit_code_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::pass: return kExitClean;
    case Outcome::fail: return kExitFinding;
    case Outcome::inconclusive: return kExitInconclusive;
    case Outcome::skipped: return kExitCannotRun;
  }
  return kExitInternal;
}

// One run: everything that the loop over the probes needs.
class ProbeRun {
 public:
  ProbeRun(const ProbeOptions& options, CliEnvironment& environment, KernelView& view,
           Output& output)
      : options_(options), environment_(environment), view_(view), output_(output) {}

  int run(const std::vector<const Probe*>& chosen) {
    const Result<HostInfo> host = environment_.host(view_);
    if (!host) return complain(environment_, host.error(), kExitCannotRun);
    const Result<KernelCapabilities> capabilities =
        environment_.capabilities(view_, host->pages, options_.common.without);
    if (!capabilities) return complain(environment_, capabilities.error(), kExitCannotRun);
    capabilities_ = *capabilities;
    report_.tool_version = tool_version();
    report_.host = *host;
    report_.started = view_.wall_now();
    const Nanoseconds begun = view_.monotonic_now();
    run_all(chosen);
    report_.duration = view_.monotonic_now() - begun;
    return finish();
  }

 private:
  /// A switch of the host, or why it is not turned.
  struct Turned {
    std::optional<probes::HostSwitch> held;
    std::string why_not;
  };

  Turned turn(const std::string& name, const std::string& path,
              const std::function<std::uint64_t(std::uint64_t)>& wanted) {
    if (!options_.allow_sysctl) return {std::nullopt, "it needs " + name + " on: --allow-sysctl"};
    auto turned = probes::HostSwitch::turn(view_, path, wanted, stopped());
    if (!turned) return {std::nullopt, name + ": " + turned.error().message()};
    return {*std::move(turned), ""};
  }

  Turned turn_balancing_on() {
    return turn("kernel.numa_balancing", options_.proc_root + "/sys/kernel/numa_balancing",
                [](std::uint64_t before) { return before | 1; });
  }

  Turned turn_merging_on() {
    return turn("KSM", options_.sys_root + "/kernel/mm/ksm/run",
                [](std::uint64_t /*before*/) { return std::uint64_t{1}; });
  }

  void run_all(const std::vector<const Probe*>& chosen) {
    Turned balancing;
    if (std::any_of(chosen.begin(), chosen.end(),
                    [](const Probe* probe) { return probe->uses_balancing; })) {
      balancing = turn_balancing_on();
    }
    for (const Probe* const probe : chosen) {
      if (environment_.stop_signal() != 0) break;
      note(*probe);
      report_.results.push_back(run_or_skip(*probe, balancing));
      if (options_.common.format == Format::jsonl) {
        write_probe_line(output_.stream(), report_.results.back());
        output_.stream().flush();
      }
    }
    if (environment_.err_is_terminal) environment_.err << "\r\033[K" << std::flush;
  }

  ProbeResult run_or_skip(const Probe& probe, const Turned& balancing) {
    const bool needs_balancing = probe.uses_balancing && probe.tier != probes::Tier::instant;
    if (needs_balancing && !balancing.held) return skipped(probe, balancing.why_not);
    // Merging is turned on for this one probe only: it touches everybody's memory.
    const Turned merging = probe.uses_merging ? turn_merging_on() : Turned{};
    if (probe.uses_merging && !merging.held) return skipped(probe, merging.why_not);
    return run_one(probe, {.proc_root = options_.proc_root,
                           .balancing = balancing.held.has_value(),
                           .merging = merging.held.has_value(),
                           .sabotage = options_.sabotage});
  }

  [[nodiscard]] std::function<bool()> stopped() const {
    return [this] { return environment_.stop_signal() != 0; };
  }

  void note(const Probe& probe) {
    if (!environment_.err_is_terminal || options_.common.quiet) return;
    environment_.err << "\r\033[K" << probe.name << " ..." << std::flush;
  }

  ProbeResult run_one(const Probe& probe, const probes::ProbeSetup& setup) {
    const AuditOptions audit{.deadline = std::chrono::seconds(20)};
    const probes::ProbeEnvironment surroundings{
        .view = view_,
        .capabilities = capabilities_,
        .pages = report_.host.pages,
        .audit =
            [&](int pid) {
              return environment_.audit(view_, capabilities_, report_.host.pages, pid, audit);
            },
        .stopped = stopped()};
    return environment_.run_probe(surroundings, probe, setup, options_.deadline);
  }

  void make_card() {
    report_.card =
        probes::make_card(report_.results, report_.host, probes::read_livepatches(view_));
    report_.card.tool_version = report_.tool_version;
    report_.card.taken = report_.started;
    for (probes::CardProbe& row : report_.card.probes) row.taken = report_.started;
  }

  // What other probes have found since this boot stays known; that the card cannot be kept is no
  // reason to fail.
  void keep_card() {
    const auto directory = spool_directory(options_.spool);
    if (!directory || options_.sabotage != probes::Sabotage::none) return;
    probes::BehaviourCard card = report_.card;
    if (const auto earlier = load_card(*directory)) probes::merge_earlier(card, *earlier);
    const Result<Ok> stored = store_card(*directory, card);
    if (!stored && (options_.spool || options_.common.verbose)) {
      complain(environment_, stored.error(), kExitClean);
    }
  }

  int finish() {
    const int signal = environment_.stop_signal();
    make_card();
    report_.verdict = probes::verdict_of(report_.results, report_.card, options_.gate);
    if (signal == 0) keep_card();
    write();
    return finish_output(
        output_, environment_,
        signal != 0 ? kExitSignalBase + signal : exit_code_of(report_.verdict.outcome));
  }

  void write() {
    std::ostream& out = output_.stream();
    switch (options_.common.format) {
      case Format::json: write_probe_json(out, report_); break;
      case Format::jsonl:
      case Format::prometheus: break;
      case Format::tap: write_probe_tap(out, report_); break;
      case Format::text:
        if (options_.gate) {
          out << printable(report_.verdict.line) << '\n';
        } else if (!options_.common.quiet || report_.verdict.outcome != Outcome::pass) {
          write_probe_text(out, report_, style_for(environment_, options_.common, output_));
        }
        break;
    }
  }

  const ProbeOptions& options_;
  CliEnvironment& environment_;
  KernelView& view_;
  Output& output_;
  KernelCapabilities capabilities_;
  ProbeReport report_;
};

}  // namespace

int run_probes(const ProbeOptions& options, CliEnvironment& environment) {
  const auto chosen = probes::choose(
      {.names = options.names, .all = options.all, .allow_sysctl = options.allow_sysctl});
  if (!chosen) return complain(environment, chosen.error(), kExitUsage);
  Result<Output> output = Output::open(options.common.output, environment.out);
  if (!output) return complain(environment, output.error(), kExitCannotRun);
  if (options.list) {
    write_probe_list(output->stream(), probes::catalogue(),
                     style_for(environment, options.common, *output));
    return finish_output(*output, environment, kExitClean);
  }
  const std::unique_ptr<KernelView> view = environment.open_view(std::nullopt, std::nullopt);
  return ProbeRun{options, environment, *view, *output}.run(*chosen);
}

}  // namespace smaps_audit
