// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cli/environment.h"
#include "cli/options.h"

namespace smaps_audit {

/// `smaps-audit config check|dump`: 0, or 78 with all that is wrong with the file.
int run_config(const ConfigOptions& options, CliEnvironment& environment);

}  // namespace smaps_audit
