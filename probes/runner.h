// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>

#include "probes/child.h"
#include "probes/measure.h"
#include "probes/probe.h"

namespace smaps_audit::probes {

inline constexpr std::chrono::seconds kProbeDeadline{60};

/// Runs one probe from its first fork to its last wait. Never fails: whatever goes wrong is an
/// outcome with its reason, within `deadline`. Leaves no process, mapping or cgroup behind.
ProbeResult run_probe(const ProbeEnvironment& environment, const Probe& probe,
                      const ProbeSetup& setup, std::chrono::nanoseconds deadline = kProbeDeadline);

}  // namespace smaps_audit::probes
