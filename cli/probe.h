// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cli/environment.h"
#include "cli/options.h"

namespace smaps_audit {

/// `smaps-audit probe`: 0 all pass, 1 a defect, 2 inconclusive, 77 nothing could run.
int run_probes(const ProbeOptions& options, CliEnvironment& environment);

}  // namespace smaps_audit
