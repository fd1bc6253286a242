// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "audit/verdict.h"
#include "base/interval.h"
#include "collect/host.h"
#include "daemon/scheduler.h"
#include "report/card_report.h"

/// What the service knows, as it was at one moment: metrics, page and API are made of
/// this and of nothing else, so a scrape costs no target anything. Sums of bytes are over the
/// processes whose audit told both sides, so that reported and true can be compared.
namespace smaps_audit::service {

using VerdictCounts = std::array<std::uint64_t, kVerdicts.size()>;  ///< by Verdict

/// Reported and true, over the same processes at the same moments.
struct MemorySum {
  std::uint64_t processes = 0;
  std::uint64_t reported_bytes = 0;
  Interval truth;  ///< bytes
};

struct GroupSnapshot {
  std::string name;
  bool configured = false;      ///< named by a rule
  std::uint64_t processes = 0;  ///< there now, kernel threads left out
  VerdictCounts verdicts{};     ///< of the last audit of each
  std::uint64_t pending = 0;    ///< never audited
  MemorySum rss;
  MemorySum pss;
  std::uint64_t status_rss_bytes = 0;  ///< sum of VmRSS now, of all
  std::uint64_t findings = 0;          ///< open
  std::uint64_t processes_with_finding = 0;
  /// What smaps leaves out of Rss, by open findings. A lower bound.
  std::uint64_t rss_deficit_bytes = 0;
  std::map<std::string, std::uint64_t> rss_deficit_by_defect;  ///< of that; or "unknown"
  double underreported_byte_seconds = 0;                       ///< since the start, of the same
  std::set<std::string> defects;                               ///< known ones, of open findings
  std::optional<Nanoseconds> oldest_verdict;                   ///< wall clock; nullopt: none yet
};

/// Open findings of one kind in one group, all processes together.
struct FindingSum {
  std::string group;
  std::string check;
  std::string field;
  Interface interface = Interface::smaps;
  Direction direction = Direction::deficit;
  std::string defect;  ///< empty: unknown
  std::uint64_t processes = 0;
  std::uint64_t error_bytes = 0;
  Nanoseconds first_seen{};  ///< wall clock
  Nanoseconds last_seen{};
  int pid = 0;       ///< of one finding of one process, else 0
  std::string comm;  ///< likewise
};

struct WorkerStatistics {
  bool running = false;
  std::map<std::string, std::uint64_t> restarts;       ///< by cause
  std::map<std::string, std::uint64_t> refused_calls;  ///< by seccomp
  std::map<std::string, bool> capabilities;
  Nanoseconds cpu{};  ///< of all workers so far
  std::uint64_t peak_rss_bytes = 0;
  Nanoseconds longest_read{};  ///< of smaps_rollup, in a screening
  std::uint64_t orders = 0;
};

struct StoreStatistics {
  bool healthy = true;
  std::string problem;
  std::optional<std::uint64_t> findings = {};  ///< rows
  std::uint64_t open_findings = 0;
  std::optional<std::uint64_t> captures = {};
  std::optional<std::uint64_t> bytes = {};  ///< database and captures
  std::uint64_t waiting = 0;                ///< in memory, for want of room on the disk
  std::uint64_t failed_writes = 0;
  std::uint64_t lost = 0;           ///< findings that found room nowhere
  std::uint64_t captures_lost = 0;  ///< could not be made or kept
};

struct ProbeOutcome {
  std::string probe;
  std::string outcome;
};

struct Snapshot {
  Nanoseconds taken{};    ///< wall clock
  Nanoseconds started{};  ///< of the service
  std::string tool_version;
  HostInfo host;
  bool reading = true;
  std::string paused_by;              ///< "configuration" or the off file; empty while reading
  std::vector<GroupSnapshot> groups;  ///< all, by name
  std::vector<std::string> exported_groups;  ///< which of them the metrics name
  std::vector<FindingSum> findings;          ///< summed: fit for anybody
  std::vector<FindingSum> open_findings;     ///< one each, with pid and comm; at most 1000
  VerdictCounts verdicts{};
  std::uint64_t processes = 0;
  std::uint64_t kernel_threads = 0;
  std::uint64_t excluded = 0;
  std::map<std::string, std::uint64_t> inconclusive_reasons;
  std::optional<double> coverage;  ///< conclusive share of the targets, once there are any
  std::uint64_t audits = 0;        ///< since the start
  std::uint64_t screenings = 0;
  ScheduleStatistics schedule;
  Nanoseconds interval{};
  double cpu_budget_share = 0;
  Nanoseconds stall_budget{};
  WorkerStatistics worker;
  StoreStatistics store;
  bool config_ok = true;
  std::string config_problem;
  Nanoseconds config_loaded{};
  std::optional<probes::BehaviourCard> card;
  std::vector<ProbeOutcome> probe_outcomes;
};

}  // namespace smaps_audit::service
