// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "collect/host.h"
#include "collect/kernel_view.h"
#include "config/known_defects.h"
#include "probes/probe.h"

namespace smaps_audit::probes {

enum class DefectState : std::uint8_t { present, absent, unknown };
std::string_view name_of(DefectState state);

/// What is known of a defect before any probe has run (docs/kernel.md §4).
struct DefectRow {
  std::string_view id;
  std::string_view asked_by;  ///< probes, comma-separated; empty: none asks
  std::string_view why_not;   ///< why none asks
  DefectClass defect_class = DefectClass::note;
  std::string_view title = {};
};
std::span<const DefectRow> defect_rows();
const DefectRow* find_defect_row(std::string_view id);
/// By config/known-defects.json, or by the row of what is not in it. Nobody's id is a finding
/// without a title.
std::string_view title_of(std::string_view id);
DefectClass class_of(std::string_view id);

struct CardRow {
  std::string id;
  DefectState state = DefectState::unknown;
  std::string reason;
  bool operator==(const CardRow&) const = default;
};

/// How a probe ended when it ran last.
struct CardProbe {
  std::string probe;
  Outcome outcome = Outcome::inconclusive;
  std::string reason;
  std::chrono::nanoseconds taken{};  ///< since 1970-01-01 UTC
  bool operator==(const CardProbe&) const = default;
};

/// What this kernel, booted this time, was seen to do. Another boot is another card.
struct BehaviourCard {
  std::string tool_version;
  std::string kernel_release;
  std::string machine;
  std::string boot_id;
  std::vector<std::string> livepatches;
  std::chrono::nanoseconds taken{};  ///< since 1970-01-01 UTC
  std::vector<CardRow> defects;      ///< every known defect once, in the order of their numbers
  std::string gup_era;               ///< "E0" … "E3"; empty: unknown
  std::string gup_era_reason;
  std::vector<CardProbe> probes;  ///< of this boot, by name
  /// Those of them that failed without the name of a defect: what they saw is unknown.
  std::vector<std::string> nameless;

  [[nodiscard]] const CardRow* find(std::string_view id) const;
};

/// "Which GUP callers take a NUMA hinting fault", in words; empty for what is no era.
std::string_view era_text(std::string_view era);

/// Present where any probe saw the defect, absent where one saw that it is not there, else unknown:
/// why the probes that ask could not tell, or that none asks.
BehaviourCard make_card(std::span<const ProbeResult> results, const HostInfo& host,
                        std::vector<std::string> livepatches);

/// Fills what `card` does not know from an earlier card of the same boot. A probe that was skipped
/// now leaves what it said earlier.
void merge_earlier(BehaviourCard& card, const BehaviourCard& earlier);

/// Live patches that the kernel runs with; empty where it has none.
std::vector<std::string> read_livepatches(KernelView& view);

}  // namespace smaps_audit::probes
