// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cli/environment.h"
#include "cli/options.h"

namespace smaps_audit {

/// `smaps-audit findings list|show|export`: 0; 64 for an id that the store does not hold; 65 for a
/// broken store; 77 if there is none, or it cannot be read.
int run_findings(const FindingsOptions& options, CliEnvironment& environment);

}  // namespace smaps_audit
