// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string_view>

#include "cli/options.h"

namespace smaps_audit {

/// "0.1.0"
std::string_view tool_version();

/// Turns argv into a command. Everything that is wrong with it is an EarlyExit with exit code 64.
Command parse_command_line(int argc, const char* const* argv);

}  // namespace smaps_audit
