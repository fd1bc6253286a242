// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "cli/options.h"
#include "config/settings.h"

namespace smaps_audit {

/// The raw words of the command line, as CLI11 leaves them.
struct Words {
  std::vector<std::string> probes;
  std::string spool;
  std::string sabotage;
  bool list = false;
  bool allow_sysctl = false;
  bool gate = false;
  bool kernel = false;
  std::string id;
  std::string store = StoreSettings{}.path + "/findings.db";
  CommonOptions common;
  std::string format = "text";
  std::string output;
  std::string proc_root;
  std::string sys_root;
  std::vector<std::string> without;
  std::vector<std::string> pids;
  std::vector<std::string> users;
  std::vector<std::string> ids;
  std::string min_coverage = "95";
  std::string deadline;
  std::string file;
  Selection selection;
  bool freeze = false;
  bool no_confirm = false;
};

/// Makes options of them. `verb` as "check", "config dump"; error `usage`: what is wrong with a
/// word.
Result<Command> read_command(const std::string& verb, const Words& words);

}  // namespace smaps_audit
