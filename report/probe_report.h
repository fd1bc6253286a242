// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <iosfwd>
#include <span>
#include <string>
#include <vector>

#include "probes/card.h"
#include "probes/gate.h"
#include "probes/probe.h"
#include "report/report.h"

namespace smaps_audit {

/// One run of `probe`.
struct ProbeReport {
  std::string tool_version;
  HostInfo host;
  std::chrono::nanoseconds started{};  ///< since 1970-01-01 UTC
  std::chrono::nanoseconds duration{};
  std::vector<probes::ProbeResult> results;
  probes::BehaviourCard card;
  probes::ProbeVerdict verdict;
};

/// Schema smaps-audit.report/1: "probes", and the card as "behaviour_card".
void write_probe_json(std::ostream& out, const ProbeReport& report);
/// One element of "probes" on one line.
void write_probe_line(std::ostream& out, const probes::ProbeResult& result);
void write_probe_tap(std::ostream& out, const ProbeReport& report);
void write_probe_text(std::ostream& out, const ProbeReport& report, const TextStyle& style);
/// What each probe asks, needs and costs.
void write_probe_list(std::ostream& out, std::span<const probes::Probe* const> rows,
                      const TextStyle& style);

}  // namespace smaps_audit
