// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "audit/verdict.h"
#include "base/interval.h"
#include "daemon/store/wall_time.h"

/// What smaps-auditd keeps on disk (docs/design.md, "The service").
namespace smaps_audit::store {

/// A process of one boot of this machine.
struct ProcessKey {
  std::string boot_id;
  int pid = 0;
  std::uint64_t start_time_ticks = 0;
  auto operator<=>(const ProcessKey&) const = default;
};

/// What makes two sightings one finding.
struct FindingKey {
  ProcessKey process;
  std::string check;
  Interface interface = Interface::smaps;
  std::string field;
  auto operator<=>(const FindingKey&) const = default;
};

/// Why a finding is open no more.
enum class Resolution : std::uint8_t {
  process_ended,     ///< the number can mislead nobody now
  audit_without_it,  ///< a conclusive audit of the same process did not show it
  rebooted,          ///< it is of an earlier boot
};
inline constexpr std::array kResolutions{Resolution::process_ended, Resolution::audit_without_it,
                                         Resolution::rebooted};
/// As it is spelled in the declaration.
std::string_view name_of(Resolution resolution);
/// "the process has ended"
std::string_view describe(Resolution resolution);

struct Resolved {
  WallTime when{};
  Resolution why = Resolution::process_ended;
  bool operator==(const Resolved&) const = default;
};

/// A file beside the database.
struct StoredCapture {
  std::string name;  ///< in the directory of captures
  std::uint64_t bytes = 0;
  WallTime taken{};
  bool operator==(const StoredCapture&) const = default;
};

/// A finding over all the times that it was seen. Numbers are those of the last sighting but for
/// the extremes.
struct StoredFinding {
  std::int64_t id = 0;  ///< never given to another finding
  FindingKey key;
  std::string comm;                       ///< bytes that the process chose
  std::string group;                      ///< of the service's targets; empty: none
  std::optional<std::string> executable;  ///< bytes; nullopt: not known
  Direction direction = Direction::deficit;
  std::optional<Interface> against;
  std::uint64_t reported_bytes = 0;
  Interval expected;  ///< bytes
  std::uint64_t error_bytes = 0;
  std::uint64_t least_error_bytes = 0;
  std::uint64_t worst_error_bytes = 0;
  std::optional<Interval> true_rss;  ///< bytes, of the whole process
  std::optional<Interval> true_pss;
  WallTime first_seen{};
  WallTime last_seen{};
  std::uint64_t times_seen = 0;
  Basis basis = Basis::series;
  std::uint64_t brackets = 0;
  bool exact = false;
  std::optional<std::string> defect;
  std::optional<Cause> cause;
  std::string kernel_release;
  std::string tool_version;
  std::optional<StoredCapture> capture;
  std::optional<Resolved> resolved;  ///< nullopt: open

  [[nodiscard]] bool open() const { return !resolved.has_value(); }
};

enum class Which : std::uint8_t { open, all };

/// Adds the next sighting (or several, already merged) of the same finding to what is kept: times
/// and extremes are those of both, everything else is of the newer one. `into` keeps its id, and
/// its capture unless the newer one brings one.
void merge(StoredFinding& into, StoredFinding newer);

}  // namespace smaps_audit::store
