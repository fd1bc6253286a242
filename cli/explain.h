// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cli/environment.h"
#include "cli/options.h"

namespace smaps_audit {

/// `smaps-audit explain`: 0, or 64 for an id that nothing is known of.
int run_explain(const ExplainOptions& options, CliEnvironment& environment);

}  // namespace smaps_audit
