// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "audit/verdict.h"
#include "base/result.h"
#include "collect/host.h"
#include "collect/kernel_capabilities.h"
#include "collect/kernel_view.h"
#include "probes/probe.h"

namespace smaps_audit::probes {

/// What a run of probes needs of the program around it.
struct ProbeEnvironment {
  KernelView& view;
  const KernelCapabilities& capabilities;
  PageGeometry pages;
  /// The audit of one process as `check` does it.
  std::function<ProcessReport(int pid)> audit;
  /// True if we were asked to stop.
  std::function<bool()> stopped;
};

/// Looks at one child.
class Measurer {
 public:
  Measurer(const ProbeEnvironment& environment, int pid, std::vector<RegionTruth> truths,
           std::map<std::string, std::int64_t, std::less<>> facts)
      : environment_(environment),
        pid_(pid),
        truths_(std::move(truths)),
        facts_(std::move(facts)) {}

  /// All interfaces, all regions, and the audit of the child, while it counts no fault; else once
  /// more, three times at most: then the fact "faults_while_held" says how many.
  Observation still(const std::string& state);
  /// Without audit and move_pages: for a child that is looked at often.
  Observation brief(const std::string& state);
  /// smaps_rollup again and again for `duration` while the child's threads run. Facts: "reads",
  /// "lowest_rss".
  Observation rollup_for(const std::string& state, std::chrono::milliseconds duration);
  /// The regions by smaps again and again. Facts: "reads", "lowest_rss" (of
  /// the first region).
  Observation region_for(const std::string& state, std::chrono::milliseconds duration);

  [[nodiscard]] const Error* error() const { return error_ ? &*error_ : nullptr; }

 private:
  Observation begin(const std::string& state) const;
  Result<Target> open();
  Result<Ok> measure_regions(const Target& target, Observation& observation);
  Result<Ok> measure_numa(const Target& target, Observation& observation);
  Result<Ok> measure_pages(const Target& target, Observation& observation);
  void measure_moves(Observation& observation) const;
  void measure_totals(const Target& target, Observation& observation);
  Observation failed(Observation observation, const Error& error);

  const ProbeEnvironment& environment_;
  int pid_;
  std::vector<RegionTruth> truths_;
  std::map<std::string, std::int64_t, std::less<>> facts_;
  std::optional<Error> error_;
};

}  // namespace smaps_audit::probes
