// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace smaps_audit {

/// All that smaps-auditd can be told (docs/configuration.md). Passive: the parser
/// (config/settings_parser.h) has checked the ranges; a default-constructed Settings is what the
/// service does without a configuration file. The prefix of the metrics is fixed: smaps_audit_.
///
/// Durations carry their unit in the type; in the file they are texts as "15s", "10ms", "1d".
/// Sizes are bytes; in the file texts as "64MiB".

/// How often, and how gently (docs/design.md, The service).
struct AuditSettings {
  /// Every target is screened once in this time. 1 s to 1 d.
  std::chrono::nanoseconds interval = std::chrono::seconds(15);
  /// Of one core, for all reading together; the worker sleeps between reads until it is kept.
  /// 0.01 to 100.
  double cpu_budget_percent = 1;
  /// The longest time that one read may hold a target's mmap_lock, as predicted from its page
  /// tables. What would take longer is screened from status alone. 100 us to 10 s.
  std::chrono::nanoseconds stall_budget = std::chrono::milliseconds(10);
  /// How often a day a target past the stall budget is audited in full all the same; 0: never. At
  /// most 96.
  std::uint32_t stall_allowance_per_day = 1;
  /// A read past this is stuck: the worker is killed and the target quarantined. 1 s to 1 h.
  std::chrono::nanoseconds read_deadline = std::chrono::seconds(30);
  /// For all reads of one audit of one process, its series included. Not below read_deadline. 1 s
  /// to 1 d.
  std::chrono::nanoseconds process_deadline = std::chrono::seconds(60);
  /// Between two reads of one process, however much of the budget is left. 0 to 10 s.
  std::chrono::nanoseconds min_pause = std::chrono::milliseconds(1);

  bool operator==(const AuditSettings&) const = default;
};

struct WorkerSettings {
  /// Address space of the worker (RLIMIT_AS); past it an audit ends for want of memory, and is
  /// counted. 64 MiB to 16 GiB.
  std::uint64_t memory_limit_bytes = std::uint64_t{256} << 20;
  /// A target whose read got stuck is left alone that long, twice as long the next time, and so on
  /// up to the longest. 1 s to 30 d; the longest not below the first.
  std::chrono::nanoseconds quarantine_first = std::chrono::minutes(5);
  std::chrono::nanoseconds quarantine_longest = std::chrono::hours(24);
  /// What the worker does without although the kernel has it: words of `check --without`, none
  /// twice.
  std::vector<std::string> without = {};

  bool operator==(const WorkerSettings&) const = default;
};

/// A user as the file names it, and the uid that this was when the file was read.
struct UserName {
  std::string name;  ///< "www-data", "33"
  std::uint32_t uid = 0;

  bool operator==(const UserName&) const = default;
};

enum class TargetAction : std::uint8_t { include, exclude };

/// Matches a process that fits one of the words of each list that isn't empty. At least one list
/// has words. All but `users` are globs over the whole text: '*' is any text without '/', '**' any
/// text, '?' one character but '/'; nothing else is special (a backslash is one, as systemd writes
/// "\x2d"). See config/target_rules.h.
struct TargetRule {
  TargetAction action = TargetAction::include;
  /// The group that matching processes are counted in; nullopt: the name that their unit or cgroup
  /// gives (config/group_name.h). Never there for `exclude`.
  std::optional<std::string> group = {};
  std::vector<std::string> comms = {};
  std::vector<std::string> executables = {};
  std::vector<std::string> units = {};
  std::vector<std::string> cgroups = {};  ///< these and what is below them
  std::vector<UserName> users = {};

  bool operator==(const TargetRule&) const = default;
};

struct TargetSettings {
  /// In order: the first that matches decides.
  std::vector<TargetRule> rules;
  /// What no rule matches. Included, it is grouped by unit or cgroup.
  TargetAction unmatched = TargetAction::include;

  bool operator==(const TargetSettings&) const = default;
};

struct LimitSettings {
  /// Groups that the metrics name; the others are summed up in "other". 1 to 200.
  std::uint32_t exported_groups = 20;

  bool operator==(const LimitSettings&) const = default;
};

struct WebSettings {
  bool enable = true;
  /// Each is one that parse_listen_address() takes (base/listen_address.h). At least one where
  /// `enable`. Sockets that systemd passes take their place.
  std::vector<std::string> listen = {"127.0.0.1:19755", "unix:/run/smaps-auditd/web.sock"};
  /// TLS and basic auth, as the exporter-toolkit writes them.
  std::optional<std::string> config_file;

  bool operator==(const WebSettings&) const = default;
};

/// What the store keeps; the oldest goes first. Each bound holds by itself.
struct Retention {
  std::uint64_t max_count = 0;          ///< at least 1
  std::chrono::nanoseconds max_age{0};  ///< at least 1 h
  std::uint64_t max_bytes = 0;          ///< at least 1 MiB

  bool operator==(const Retention&) const = default;
};

struct StoreSettings {
  /// A directory: findings.db and captures/.
  std::string path = "/var/lib/smaps-auditd";
  Retention findings = {.max_count = 100'000,
                        .max_age = std::chrono::hours(24 * 365),
                        .max_bytes = std::uint64_t{256} << 20};
  Retention captures = {.max_count = 100,
                        .max_age = std::chrono::hours(24 * 90),
                        .max_bytes = std::uint64_t{512} << 20};

  bool operator==(const StoreSettings&) const = default;
};

struct ProbeSettings {
  /// Where `smaps-audit probe` leaves its card (cli/card_store.h).
  std::string spool = "/var/lib/smaps-audit";

  bool operator==(const ProbeSettings&) const = default;
};

enum class LogLevel : std::uint8_t { debug, info, warning, error };
/// automatic: to journald where stderr is the journal's, else logfmt.
enum class LogFormat : std::uint8_t { automatic, journald, logfmt, json };

struct LogSettings {
  LogLevel level = LogLevel::info;
  LogFormat format = LogFormat::automatic;

  bool operator==(const LogSettings&) const = default;
};

struct PathSettings {
  std::optional<std::string> proc_root;  ///< nullopt: the running kernel's own
  std::optional<std::string> sys_root;
  /// While this file is there, nothing is read of any process; as `reading: false`, without a
  /// reload.
  std::string off_file = "/run/smaps-auditd/off";

  bool operator==(const PathSettings&) const = default;
};

struct Settings {
  bool reading = true;  ///< false: no file of any process is read; a metric shows it
  AuditSettings audit;
  WorkerSettings worker;
  TargetSettings targets;
  LimitSettings limits;
  WebSettings web;
  StoreSettings store;
  ProbeSettings probe;
  LogSettings log;
  PathSettings paths;

  bool operator==(const Settings&) const = default;
};

}  // namespace smaps_audit
