// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>

#include "probes/card.h"
#include "probes/probe.h"

namespace smaps_audit::probes {

/// What a run of probes has to say as a whole.
struct ProbeVerdict {
  Outcome outcome = Outcome::skipped;  ///< skipped: nothing could run
  std::string line;                    ///< one line, for a deployment log
};

/// fail where any probe failed; with `gate` only where a number that users read is wrong: a defect
/// of class finding, or a misbehaviour that has no name. Else inconclusive where any probe was,
/// else pass where any passed.
ProbeVerdict verdict_of(std::span<const ProbeResult> results, const BehaviourCard& card, bool gate);

}  // namespace smaps_audit::probes
