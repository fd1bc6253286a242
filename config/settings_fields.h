// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string_view>

#include "config/object_reader.h"
#include "config/settings.h"

namespace smaps_audit {

/// Private to config/: the one list of keys, with their ranges; reading and writing both follow it.
/// schema/config-1.schema.json says the same to editors, and a test compares them.

inline constexpr std::array kTargetActions{NamedValue{"include", TargetAction::include},
                                           NamedValue{"exclude", TargetAction::exclude}};

inline constexpr std::array kLogLevels{
    NamedValue{"debug", LogLevel::debug}, NamedValue{"info", LogLevel::info},
    NamedValue{"warning", LogLevel::warning}, NamedValue{"error", LogLevel::error}};
inline constexpr std::array kLogFormats{
    NamedValue{"auto", LogFormat::automatic}, NamedValue{"journald", LogFormat::journald},
    NamedValue{"logfmt", LogFormat::logfmt}, NamedValue{"json", LogFormat::json}};

/// As `smaps-audit check --without` takes them (collect/kernel_capabilities.h); a test compares.
inline constexpr std::array<std::string_view, 7> kFallbackWords{
    "pagemap-scan", "procmap-query", "pfn", "kpageflags", "kpagecount", "numa-maps", "wchan"};

template <class S, class Visitor>
void describe_retention(S& kept, Visitor& visitor) {
  using std::chrono::hours;
  visitor.count("max_count", kept.max_count, std::uint64_t{1}, std::uint64_t{100'000'000});
  visitor.duration("max_age", kept.max_age, hours(1), hours(24 * 3650));
  visitor.size("max_bytes", kept.max_bytes, std::uint64_t{1} << 20, std::uint64_t{1} << 44);
}

template <class S, class Visitor>
void describe_audit(S& audit, Visitor& visitor) {
  using namespace std::chrono;
  visitor.duration("interval", audit.interval, seconds(1), hours(24));
  visitor.number("cpu_budget_percent", audit.cpu_budget_percent, 0.01, 100);
  visitor.duration("stall_budget", audit.stall_budget, microseconds(100), seconds(10));
  visitor.count("stall_allowance_per_day", audit.stall_allowance_per_day, 0U, 96U);
  visitor.duration("read_deadline", audit.read_deadline, seconds(1), hours(1));
  visitor.duration("process_deadline", audit.process_deadline, seconds(1), hours(24));
  visitor.duration("min_pause", audit.min_pause, seconds(0), seconds(10));
}

template <class S, class Visitor>
void describe_worker(S& worker, Visitor& visitor) {
  using namespace std::chrono;
  visitor.size("memory_limit", worker.memory_limit_bytes, std::uint64_t{64} << 20,
               std::uint64_t{16} << 30);
  visitor.duration("quarantine_first", worker.quarantine_first, seconds(1), hours(24 * 30));
  visitor.duration("quarantine_longest", worker.quarantine_longest, seconds(1), hours(24 * 30));
  visitor.words("without", worker.without, kFallbackWords);
}

template <class S, class Visitor>
void describe_settings(S& settings, Visitor& visitor) {
  visitor.ignored("$schema");
  visitor.toggle("reading", settings.reading);
  visitor.section("audit", [&](auto& in) { describe_audit(settings.audit, in); });
  visitor.section("worker", [&](auto& in) { describe_worker(settings.worker, in); });
  visitor.section("targets", [&](auto& in) {
    in.rules("rules", settings.targets.rules);
    in.word("unmatched", settings.targets.unmatched, kTargetActions);
  });
  visitor.section("limits", [&](auto& in) {
    in.count("exported_groups", settings.limits.exported_groups, 1U, 200U);
  });
  visitor.section("web", [&](auto& in) {
    in.toggle("enable", settings.web.enable);
    in.listen("listen", settings.web.listen);
    in.absolute_path("config_file", settings.web.config_file);
  });
  visitor.section("store", [&](auto& in) {
    in.absolute_path("path", settings.store.path);
    in.section("findings", [&](auto& kept) { describe_retention(settings.store.findings, kept); });
    in.section("captures", [&](auto& kept) { describe_retention(settings.store.captures, kept); });
  });
  visitor.section("probe", [&](auto& in) { in.absolute_path("spool", settings.probe.spool); });
  visitor.section("log", [&](auto& in) {
    in.word("level", settings.log.level, kLogLevels);
    in.word("format", settings.log.format, kLogFormats);
  });
  visitor.section("paths", [&](auto& in) {
    in.absolute_path("proc_root", settings.paths.proc_root);
    in.absolute_path("sys_root", settings.paths.sys_root);
    in.absolute_path("off_file", settings.paths.off_file);
  });
}

}  // namespace smaps_audit
