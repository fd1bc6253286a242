// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace smaps_audit {

/// A program's verbs and options as its --help shows them (nothing hidden), as JSON: what manual
/// pages and shell completion are made of (packaging/).
///
///     {"name", "meaning", "footer": its own or "",
///      "options": [{"names": ["-o", "--output"] or ["PID"], "positional", "required",
///                   "repeated", "value": "FILE" or "" for a flag, "choices": [], "meaning"}],
///      "commands": [the same of each verb]}
std::string command_tree(const CLI::App& app);

}  // namespace smaps_audit
