// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/verdict.h"
#include "base/page_geometry.h"
#include "base/range_set.h"
#include "collect/target.h"
#include "parsers/smaps.h"

namespace smaps_audit::probes {

enum class Outcome : std::uint8_t { pass, fail, inconclusive, skipped };
std::string_view name_of(Outcome outcome);
/// `inconclusive` for any other word.
Outcome outcome_of(std::string_view name);

/// What a region is there for. A control that does not read as declared makes the whole probe
/// inconclusive: then it is the instrument that is broken, or the truth.
enum class Role : std::uint8_t {
  subject,   ///< in the state that the probe asks about
  negative,  ///< the same layout without that state: no difference may show
  positive,  ///< part of it was given back: that deficit must show, to the page
};

/// One range as the child that made it declares it.
struct RegionTruth {
  std::string name;
  Role role = Role::subject;
  Range range;  ///< bytes
  std::uint64_t resident_bytes = 0;
  bool operator==(const RegionTruth&) const = default;
};

/// What every interface says of one region. Absent is not zero.
struct RegionMeasure {
  std::uint64_t vmas = 0;
  SmapsValues smaps;  ///< sums over the region's VMAs
  bool accessible = false;
  std::optional<std::uint64_t> numa_bytes;
  std::optional<std::uint64_t> numa_dirty_bytes;
  std::optional<std::uint64_t> present_bytes;  ///< plain pagemap
  std::uint64_t exclusive_bytes = 0;
  std::uint64_t file_bytes = 0;
  std::uint64_t swapped_bytes = 0;
  std::optional<std::uint64_t> scan_bytes;  ///< PAGEMAP_SCAN, PRESENT
  std::uint64_t scan_zero_bytes = 0;
  std::map<int, std::uint64_t> move_status;  ///< node or -errno → pages
};

/// One state of the child, held still while it was measured.
struct Observation {
  std::string state;
  std::vector<RegionTruth> truths;
  std::vector<RegionMeasure> measures;  ///< one a truth
  std::map<std::string, std::int64_t, std::less<>> facts;
  std::optional<StatusNumbers> status;
  std::uint64_t smaps_rss_bytes = 0;        ///< sum over all VMAs
  std::uint64_t smaps_anonymous_bytes = 0;  ///< likewise
  std::optional<std::uint64_t> rollup_rss_bytes;
  std::optional<ProcessReport> audit;  ///< what `check` says of the child

  [[nodiscard]] std::optional<std::int64_t> fact(std::string_view name) const;
};

/// Everything that one run of a probe's child brought.
struct Trial {
  std::vector<Observation> observations;
  std::map<std::string, std::int64_t, std::less<>> facts;  ///< the last word on each

  [[nodiscard]] const Observation* find(std::string_view state) const;
  [[nodiscard]] std::optional<std::int64_t> fact(std::string_view name) const;
};

/// A known defect that this kernel was seen to have, or not to have.
struct DefectSeen {
  std::string id;
  bool present = false;
  std::string reason;
};

/// What a probe makes of its trial.
struct Answer {
  Outcome outcome = Outcome::inconclusive;
  std::string reason;  ///< one sentence without a full stop
  std::string expected;
  std::string observed;
  std::vector<DefectSeen> defects;
  std::string era;  ///< gup-fault: "E0" … "E3"

  [[nodiscard]] std::vector<std::string> present_defects() const;
};

enum class Tier : std::uint8_t {
  instant,   ///< harmless, milliseconds to a few seconds, no privilege
  balanced,  ///< waits for NUMA balancing: only with --allow-sysctl
  extended,  ///< only with --all
  by_name,   ///< touches a switch of the host: only by its name
};

class ProbeChild;
class Measurer;

/// One row of the catalogue.
struct Probe {
  std::string_view name;
  std::string_view question;
  std::string_view needs;  ///< in words; "nothing"
  std::string_view cost;   ///< in words
  Tier tier = Tier::instant;
  bool uses_balancing = false;  ///< does (more of) its work where balancing may be turned on
  bool uses_merging = false;    ///< needs KSM to run
  /// The workload, in its own process; returns once it has told everything.
  void (*run)(ProbeChild& child) = nullptr;
  /// Pure: what the trial means on this kernel.
  Answer (*judge)(const Trial& trial) = nullptr;
  /// How a state of the child is observed; nullptr: held still, all interfaces (Measurer::still).
  Observation (*observe)(Measurer& measurer, const std::string& state) = nullptr;
};

/// A probe's outcome, for reports.
struct ProbeResult {
  std::string probe;
  Answer answer;
  std::chrono::nanoseconds duration{};
  std::chrono::nanoseconds cpu{};    ///< of the child and its children
  std::uint64_t peak_rss_bytes = 0;  ///< of the child
};

}  // namespace smaps_audit::probes
