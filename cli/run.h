// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cli/environment.h"

namespace smaps_audit {

/// The program without its surroundings: parses, runs the verb, returns the exit code.
int run_smaps_audit(int argc, const char* const* argv, CliEnvironment& environment);

}  // namespace smaps_audit
