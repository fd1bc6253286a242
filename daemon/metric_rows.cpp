// SPDX-License-Identifier: Apache-2.0
#include "daemon/metric_rows.h"

#include <algorithm>
#include <array>
#include <map>
#include <string>

#include "probes/card.h"
#include "report/reasons.h"

namespace smaps_audit::service {
namespace {

using prometheus::MetricType;

constexpr auto kService = Source::service;
constexpr auto kBoth = Source::both;

double seconds(Nanoseconds duration) { return std::chrono::duration<double>(duration).count(); }

constexpr auto kGauge = MetricType::Gauge;
constexpr auto kCounter = MetricType::Counter;

constexpr std::array kRestartCauses{"crashed", "deadline", "garbage", "grew",
                                    "memory",  "oom",      "refused", "start_failed"};
constexpr std::array kRefusedCalls{"socket",      "ptrace", "process_vm_readv", "process_vm_writev",
                                   "pidfd_getfd", "execve", "open_for_writing", "other"};
constexpr std::array kPathClasses{"page", "metrics", "api", "health", "other"};

void per_group(const Scrape& scrape, Samples& samples,
               std::uint64_t (*value)(const GroupSnapshot&)) {
  for (const GroupSnapshot& group : scrape.groups) {
    samples.add(value(group), {{"target", group.name}});
  }
}

void memory_of(const Scrape& scrape, Samples& samples, MemorySum GroupSnapshot::*sum, bool truth) {
  for (const GroupSnapshot& group : scrape.groups) {
    const MemorySum& memory = group.*sum;
    if (memory.processes == 0) continue;  // unknown is not 0
    if (!truth) {
      samples.add(memory.reported_bytes, {{"target", group.name}});
      continue;
    }
    samples.add(memory.truth.low, {{"target", group.name}, {"bound", "low"}});
    samples.add(memory.truth.high, {{"target", group.name}, {"bound", "high"}});
  }
}

template <class Known>
void counts_by(const std::map<std::string, std::uint64_t>& counts, const Known& known,
               const char* label, Samples& samples) {
  std::map<std::string, std::uint64_t> all;
  for (const auto& name : known) all[std::string{name}] = 0;
  for (const auto& [name, count] : counts) {
    all[all.contains(name) ? name : all.contains("other") ? "other" : name] += count;
  }
  for (const auto& [name, count] : all) samples.add(count, {{label, name}});
}

void reasons(const Scrape& scrape, Samples& samples) {
  std::vector<std::string> words;
  for (const ReasonText& reason : reason_texts()) words.emplace_back(reason.word);
  counts_by(scrape.snapshot.inconclusive_reasons, words, "reason", samples);
}

void defects(const Scrape& scrape, Samples& samples) {
  for (const probes::DefectRow& row : probes::defect_rows()) {
    auto state = probes::DefectState::unknown;
    if (scrape.snapshot.card) {
      const probes::CardRow* const seen = scrape.snapshot.card->find(row.id);
      if (seen != nullptr) state = seen->state;
    }
    const bool finding = probes::class_of(row.id) == DefectClass::finding;
    samples.add(true, {{"defect", std::string{row.id}},
                       {"class", finding ? "finding" : "note"},
                       {"state", std::string{name_of(state)}}});
  }
  // As in the gate: what has no name may be anything.
  auto nameless = probes::DefectState::unknown;
  if (scrape.snapshot.card) {
    nameless = scrape.snapshot.card->nameless.empty() ? probes::DefectState::absent
                                                      : probes::DefectState::present;
  }
  samples.add(
      true,
      {{"defect", "unknown"}, {"class", "finding"}, {"state", std::string{name_of(nameless)}}});
}

// Open findings by exported group and defect; only those that there are.
void group_findings(const Scrape& scrape, Samples& samples) {
  std::map<std::pair<std::string, std::string>, std::uint64_t> counts;
  const auto& names = scrape.snapshot.exported_groups;
  for (const FindingSum& sum : scrape.snapshot.findings) {
    const bool named = std::find(names.begin(), names.end(), sum.group) != names.end();
    counts[{named ? sum.group : "other", sum.defect.empty() ? "unknown" : sum.defect}] +=
        sum.processes;
  }
  for (const auto& [key, count] : counts) {
    samples.add(count, {{"target", key.first}, {"defect", key.second}});
  }
}

void group_deficits(const Scrape& scrape, Samples& samples) {
  for (const GroupSnapshot& group : scrape.groups) {
    for (const auto& [defect, bytes] : group.rss_deficit_by_defect) {
      samples.add(bytes, {{"target", group.name}, {"defect", defect}});
    }
  }
}

// Open findings by defect, over all groups; those of the table that an audit names stand at 0.
void finding_counts(const Scrape& scrape, Samples& samples) {
  std::map<std::string, std::uint64_t> counts{{"unknown", 0}};
  for (const char* id : {"K01", "K03", "K07", "K08"}) counts[id] = 0;
  for (const FindingSum& sum : scrape.snapshot.findings) {
    counts[sum.defect.empty() ? "unknown" : sum.defect] += sum.processes;
  }
  for (const auto& [defect, count] : counts) samples.add(count, {{"defect", defect}});
}

void requests(const Scrape& scrape, Samples& samples) {
  auto counts = scrape.web.requests;
  for (const char* path : kPathClasses) counts.try_emplace({path, 200U}, 0U);
  for (const auto& [key, count] : counts) {
    samples.add(count, {{"path", key.first}, {"code", std::to_string(key.second)}});
  }
}

}  // namespace

const std::vector<MetricRow>& metric_rows() {
  static const std::vector<MetricRow> table{
      // What is wrong
      {"smaps_audit_target_reported_rss_bytes", kGauge, "target", kBoth,
       "Rss that smaps reports, summed over the processes of the target whose last audit was "
       "conclusive.",
       [](const Scrape& s, Samples& out) { memory_of(s, out, &GroupSnapshot::rss, false); }},
      {"smaps_audit_target_true_rss_bytes", kGauge, "target, bound", kBoth,
       "The Rss that the page walk supports, over the same processes at the same moments: at least "
       "low, at most high.",
       [](const Scrape& s, Samples& out) { memory_of(s, out, &GroupSnapshot::rss, true); }},
      {"smaps_audit_target_reported_pss_bytes", kGauge, "target", kBoth,
       "Pss that smaps reports, summed over the processes whose true Pss is known.",
       [](const Scrape& s, Samples& out) { memory_of(s, out, &GroupSnapshot::pss, false); }},
      {"smaps_audit_target_true_pss_bytes", kGauge, "target, bound", kBoth,
       "The Pss that the page walk supports, over the same processes: at least low, at most high.",
       [](const Scrape& s, Samples& out) { memory_of(s, out, &GroupSnapshot::pss, true); }},
      {"smaps_audit_target_rss_deficit_bytes", kGauge, "target", kBoth,
       "What smaps leaves out of Rss by open findings; a lower bound, 0 without a finding.",
       [](const Scrape& s, Samples& out) {
         per_group(s, out, [](const GroupSnapshot& group) { return group.rss_deficit_bytes; });
       }},
      {"smaps_audit_target_underreported_byte_seconds_total", kCounter, "target", kService,
       "The same, added up over time while the findings were open.",
       [](const Scrape& s, Samples& out) {
         for (const GroupSnapshot& group : s.groups) {
           out.add(group.underreported_byte_seconds, {{"target", group.name}});
         }
       }},
      {"smaps_audit_target_findings", kGauge, "target", kBoth,
       "Processes of the target with an open finding: a number that users read is wrong.",
       [](const Scrape& s, Samples& out) {
         per_group(s, out, [](const GroupSnapshot& group) { return group.processes_with_finding; });
       }},
      {"smaps_audit_target_defect_findings", kGauge, "target, defect", kBoth,
       "Open findings of the target by known defect, one for each number that is wrong; absent "
       "without any, unknown is what matches none.",
       group_findings},
      {"smaps_audit_target_defect_rss_deficit_bytes", kGauge, "target, defect", kBoth,
       "smaps_audit_target_rss_deficit_bytes by known defect; absent where nothing is left out, "
       "unknown is what matches none.",
       group_deficits},
      {"smaps_audit_target_processes", kGauge, "target", kBoth,
       "Processes of the target in the last sweep, kernel threads left out.",
       [](const Scrape& s, Samples& out) {
         per_group(s, out, [](const GroupSnapshot& group) { return group.processes; });
       }},
      {"smaps_audit_target_oldest_verdict_timestamp_seconds", kGauge, "target", kBoth,
       "When the process of the target whose audit is the oldest was audited; absent before the "
       "first.",
       [](const Scrape& s, Samples& out) {
         for (const GroupSnapshot& group : s.groups) {
           if (group.oldest_verdict)
             out.add(seconds(*group.oldest_verdict), {{"target", group.name}});
         }
       }},
      {"smaps_audit_findings", kGauge, "defect", kBoth,
       "Open findings of all targets by known defect; unknown is what matches none.",
       finding_counts},
      {"smaps_audit_kernel_defect", kGauge, "defect, class, state", kService,
       "1 for the state of each known defect of the running kernel (present, absent, unknown), by "
       "the last probe run of this boot; class finding: a number that users read is wrong, class "
       "note: none that Rss or Pss depends on. Defect unknown: a probe failed without the name of "
       "one.",
       defects},
      {"smaps_audit_probe_outcome", kGauge, "probe, outcome", kService,
       "1 for the last outcome of each probe that was run in this boot.",
       [](const Scrape& s, Samples& out) {
         for (const ProbeOutcome& probe : s.snapshot.probe_outcomes) {
           out.add(true, {{"probe", probe.probe}, {"outcome", probe.outcome}});
         }
       }},
      {"smaps_audit_probe_card_timestamp_seconds", kGauge, "", kService,
       "When the behaviour card of this boot was taken; absent without one.",
       [](const Scrape& s, Samples& out) {
         if (s.snapshot.card) out.add(seconds(s.snapshot.card->taken));
       }},
      // How much was looked at
      {"smaps_audit_processes", kGauge, "verdict", kBoth,
       "Processes by the verdict of their last audit; pending is what was never audited.",
       [](const Scrape& s, Samples& out) {
         std::uint64_t judged = 0;
         for (const Verdict verdict : kVerdicts) {
           const auto count = s.snapshot.verdicts.at(static_cast<std::size_t>(verdict));
           judged += count;
           out.add(count, {{"verdict", std::string{name_of(verdict)}}});
         }
         out.add(s.snapshot.processes - judged, {{"verdict", "pending"}});
       }},
      {"smaps_audit_processes_inconclusive", kGauge, "reason", kBoth,
       "Processes whose last audit was inconclusive, by reason.", reasons},
      {"smaps_audit_processes_left_out", kGauge, "reason", kService,
       "Processes that are not read in full: quarantined after a read that got stuck, beyond the "
       "stall budget (audited by the daily allowance only), excluded by a rule, or kernel threads.",
       [](const Scrape& s, Samples& out) {
         out.add(s.snapshot.schedule.quarantined + s.snapshot.schedule.unlisted,
                 {{"reason", "quarantined"}});
         out.add(s.snapshot.schedule.beyond_stall_budget, {{"reason", "stall_budget"}});
         out.add(s.snapshot.excluded, {{"reason", "excluded"}});
         out.add(s.snapshot.kernel_threads, {{"reason", "kernel_thread"}});
       }},
      {"smaps_audit_coverage_ratio", kGauge, "", kBoth,
       "Share of the targets whose last audit was conclusive, once there are any.",
       [](const Scrape& s, Samples& out) {
         if (s.snapshot.coverage) out.add(*s.snapshot.coverage);
       }},
      {"smaps_audit_target_groups", kGauge, "", kBoth,
       "Groups of targets that the service keeps apart; the metrics name some of them and sum up "
       "the others as other.",
       [](const Scrape& s, Samples& out) { out.add(std::uint64_t{s.snapshot.groups.size()}); }},
      {"smaps_audit_audits_total", kCounter, "", kService, "Full audits since the start.",
       [](const Scrape& s, Samples& out) { out.add(s.snapshot.audits); }},
      {"smaps_audit_screenings_total", kCounter, "", kService, "Screenings since the start.",
       [](const Scrape& s, Samples& out) { out.add(s.snapshot.screenings); }},
      {"smaps_audit_sweeps_total", kCounter, "", kService,
       "Sweeps over all targets that were finished.",
       [](const Scrape& s, Samples& out) { out.add(s.snapshot.schedule.sweeps); }},
      {"smaps_audit_sweep_overruns_total", kCounter, "", kService,
       "Sweeps that were due before the one before them had ended.",
       [](const Scrape& s, Samples& out) { out.add(s.snapshot.schedule.overruns); }},
      {"smaps_audit_last_sweep_timestamp_seconds", kGauge, "", kBoth,
       "When the last sweep ended, which is what all of this page is of; absent before the first.",
       [](const Scrape& s, Samples& out) {
         if (const auto age = s.snapshot.schedule.last_sweep_age) {
           out.add(seconds(s.snapshot.taken - *age));
         }
       }},
      {"smaps_audit_last_sweep_duration_seconds", kGauge, "", kBoth, "How long it took.",
       [](const Scrape& s, Samples& out) {
         if (const auto length = s.snapshot.schedule.last_sweep_length) out.add(seconds(*length));
       }},
      {"smaps_audit_rotation_duration_seconds", kGauge, "", kService,
       "How long the last full rotation took, in which every target was audited in full; absent "
       "before the first.",
       [](const Scrape& s, Samples& out) {
         if (const auto length = s.snapshot.schedule.last_rotation_length)
           out.add(seconds(*length));
       }},
      {"smaps_audit_interval_seconds", kGauge, "", kService,
       "The interval that sweeps are to keep.",
       [](const Scrape& s, Samples& out) { out.add(seconds(s.snapshot.interval)); }},
      // What it costs
      {"smaps_audit_worker_cpu_seconds_total", kCounter, "", kService,
       "CPU time of all reading since the start.",
       [](const Scrape& s, Samples& out) { out.add(seconds(s.snapshot.worker.cpu)); }},
      {"smaps_audit_cpu_budget_ratio", kGauge, "", kService,
       "The share of one core that reading may use.",
       [](const Scrape& s, Samples& out) { out.add(s.snapshot.cpu_budget_share); }},
      {"smaps_audit_predicted_stall_seconds", kGauge, "", kService,
       "The longest that one read may hold a target's mmap_lock, as predicted for the targets that "
       "are read each interval.",
       [](const Scrape& s, Samples& out) {
         out.add(seconds(s.snapshot.schedule.worst_predicted_stall));
       }},
      {"smaps_audit_measured_read_seconds", kGauge, "", kService,
       "The longest read of smaps_rollup since the start.",
       [](const Scrape& s, Samples& out) { out.add(seconds(s.snapshot.worker.longest_read)); }},
      {"smaps_audit_stall_budget_seconds", kGauge, "", kService, "What one read may take of it.",
       [](const Scrape& s, Samples& out) { out.add(seconds(s.snapshot.stall_budget)); }},
      {"smaps_audit_worker_peak_resident_bytes", kGauge, "", kService,
       "The most that the worker held.",
       [](const Scrape& s, Samples& out) { out.add(s.snapshot.worker.peak_rss_bytes); }},
      // Its own health
      {"smaps_audit_reading", kGauge, "", kService,
       "1 while processes are read, 0 while the configuration or the off file stops it.",
       [](const Scrape& s, Samples& out) { out.add(s.snapshot.reading); }},
      {"smaps_audit_worker_up", kGauge, "", kService, "1 while a worker runs.",
       [](const Scrape& s, Samples& out) { out.add(s.snapshot.worker.running); }},
      {"smaps_audit_worker_restarts_total", kCounter, "cause", kService,
       "Workers that were replaced, by cause.",
       [](const Scrape& s, Samples& out) {
         counts_by(s.snapshot.worker.restarts, kRestartCauses, "cause", out);
       }},
      {"smaps_audit_worker_refused_calls_total", kCounter, "call", kService,
       "System calls that a worker tried and seccomp refused: a fault, or an attack.",
       [](const Scrape& s, Samples& out) {
         counts_by(s.snapshot.worker.refused_calls, kRefusedCalls, "call", out);
       }},
      {"smaps_audit_capability", kGauge, "capability", kBoth,
       "1 for what this kernel and the service's privileges show.",
       [](const Scrape& s, Samples& out) {
         for (const auto& [name, held] : s.snapshot.worker.capabilities) {
           out.add(held, {{"capability", name}});
         }
       }},
      {"smaps_audit_store_healthy", kGauge, "", kService,
       "1 while everything that was found is on the disk.",
       [](const Scrape& s, Samples& out) { out.add(s.snapshot.store.healthy); }},
      {"smaps_audit_store_open_findings", kGauge, "", kService,
       "Findings in the store that are not resolved.",
       [](const Scrape& s, Samples& out) { out.add(s.snapshot.store.open_findings); }},
      {"smaps_audit_store_waiting", kGauge, "", kService,
       "Findings that wait in memory for room on the disk.",
       [](const Scrape& s, Samples& out) { out.add(s.snapshot.store.waiting); }},
      {"smaps_audit_store_failed_writes_total", kCounter, "", kService,
       "Writes to the store that failed.",
       [](const Scrape& s, Samples& out) { out.add(s.snapshot.store.failed_writes); }},
      {"smaps_audit_store_lost_total", kCounter, "", kService,
       "Findings that found room neither on the disk nor in memory.",
       [](const Scrape& s, Samples& out) { out.add(s.snapshot.store.lost); }},
      {"smaps_audit_captures_failed_total", kCounter, "", kService,
       "Captures of findings that could not be made or kept.",
       [](const Scrape& s, Samples& out) { out.add(s.snapshot.store.captures_lost); }},
      {"smaps_audit_config_last_reload_successful", kGauge, "", kService,
       "1 if the configuration file was good when it was read last; the one before it stays in "
       "force else.",
       [](const Scrape& s, Samples& out) { out.add(s.snapshot.config_ok); }},
      {"smaps_audit_config_last_reload_success_timestamp_seconds", kGauge, "", kService,
       "When the configuration in force was read.",
       [](const Scrape& s, Samples& out) { out.add(seconds(s.snapshot.config_loaded)); }},
      {"smaps_audit_http_requests_total", kCounter, "path, code", kService,
       "Answers sent, by kind of path and status.", requests},
      {"smaps_audit_http_refused_total", kCounter, "reason", kService,
       "Connections and logins that were refused.",
       [](const Scrape& s, Samples& out) {
         for (const auto& [reason, count] : s.web.refused) out.add(count, {{"reason", reason}});
       }},
      {"smaps_audit_build_info", kGauge, "version", kBoth, "1; what this program is.",
       [](const Scrape& s, Samples& out) {
         out.add(true, {{"version", s.snapshot.tool_version}});
       }},
      {"smaps_audit_host_info", kGauge, "kernel_release, machine", kBoth,
       "1; the kernel that is audited.",
       [](const Scrape& s, Samples& out) {
         out.add(true, {{"kernel_release", s.snapshot.host.kernel_release},
                        {"machine", s.snapshot.host.machine}});
       }},
      {"process_cpu_seconds_total", kCounter, "", kService, "CPU time of the parent process.",
       [](const Scrape& s, Samples& out) { out.add(s.cost.cpu_seconds); }},
      {"process_resident_memory_bytes", kGauge, "", kService, "Its resident memory.",
       [](const Scrape& s, Samples& out) { out.add(s.cost.resident_bytes); }},
      {"process_virtual_memory_bytes", kGauge, "", kService, "Its address space.",
       [](const Scrape& s, Samples& out) { out.add(s.cost.virtual_bytes); }},
      {"process_open_fds", kGauge, "", kService, "Its open file descriptors.",
       [](const Scrape& s, Samples& out) { out.add(s.cost.open_fds); }},
      {"process_max_fds", kGauge, "", kService, "The most that it may have.",
       [](const Scrape& s, Samples& out) { out.add(s.cost.max_fds); }},
      {"process_threads", kGauge, "", kService, "Its threads.",
       [](const Scrape& s, Samples& out) { out.add(s.cost.threads); }},
      {"process_start_time_seconds", kGauge, "", kService, "When it was started, since 1970.",
       [](const Scrape& s, Samples& out) { out.add(s.cost.start_time_seconds); }},
  };
  return table;
}

}  // namespace smaps_audit::service
