// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/settings.h"

namespace smaps_audit::service {

struct ServiceOptions {
  std::string config_file;               ///< empty: all defaults
  std::vector<std::string> listen = {};  ///< --web.listen-address: in place of the file's
  std::optional<std::string> web_config = {};
  bool no_web = false;
  bool systemd_sockets = false;
  bool once = false;                        ///< one full rotation, then the exit code of `check`
  std::vector<std::string> worker_command;  ///< of the workers: this program, as one
};

/// Runs until SIGTERM or SIGINT, or until the spawner is gone; the exit code.
int run_service(const ServiceOptions& options);

}  // namespace smaps_audit::service
