// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "collect/kernel_capabilities.h"
#include "probes/runner.h"

namespace smaps_audit {

enum class Format : std::uint8_t { text, json, jsonl, tap, prometheus };

/// What every verb takes.
struct CommonOptions {
  Format format = Format::text;
  std::optional<std::string> output;  ///< nullopt: stdout
  std::optional<std::string> proc_root;
  std::optional<std::string> sys_root;
  bool no_colour = false;
  bool quiet = false;
  bool verbose = false;
  ForcedFallbacks without;
};

/// Which processes. PIDs are added to what the others select; the others narrow one another, and
/// each of their lists is an "or".
struct Selection {
  bool all = false;
  std::vector<int> pids = {};
  std::vector<std::string> comms = {};
  std::vector<std::string> cgroups = {};
  std::vector<std::uint32_t> users = {};

  [[nodiscard]] bool has_filter() const {
    return !comms.empty() || !cgroups.empty() || !users.empty();
  }
  [[nodiscard]] bool is_empty() const { return !all && pids.empty() && !has_filter(); }
};

struct CheckOptions {
  CommonOptions common;
  Selection selection;
  double min_coverage = 0.95;
  bool freeze = false;
  bool confirm = true;
  std::chrono::nanoseconds deadline{std::chrono::seconds(60)};
};

struct ProbeOptions {
  CommonOptions common;
  std::vector<std::string> names = {};  ///< empty: by tier
  bool all = false;
  bool list = false;
  bool allow_sysctl = false;
  bool gate = false;
  std::chrono::nanoseconds deadline = probes::kProbeDeadline;  ///< for one probe
  std::optional<std::string> spool = {};                       ///< where the card is kept
  probes::Sabotage sabotage = probes::Sabotage::none;          ///< hidden, for tests
  std::string proc_root = {};  ///< of this machine: what is written, is written there
  std::string sys_root = {};   ///< likewise
};

struct DoctorOptions {
  CommonOptions common;
  bool kernel = false;                    ///< the last behaviour card instead
  std::optional<std::string> spool = {};  ///< where it is kept
};

struct CaptureOptions {
  CommonOptions common;
  int pid = 0;
  std::string file;
  bool freeze = false;
  std::chrono::nanoseconds deadline{std::chrono::seconds(600)};
};

struct ReplayOptions {
  CommonOptions common;
  std::string file;
};

struct ExplainOptions {
  CommonOptions common;
  std::vector<std::string> ids;  ///< empty: the list of all
};

struct ConfigOptions {
  enum class Action : std::uint8_t { check, dump };
  CommonOptions common;
  Action action = Action::check;
  std::optional<std::string> file = {};  ///< always there for `check`; dump: nullopt, the defaults
};

struct FindingsOptions {
  enum class Action : std::uint8_t { list, show, export_all };
  CommonOptions common;
  Action action = Action::list;
  std::string store;  ///< the database
  bool all = false;   ///< list: resolved ones too
  std::int64_t id = 0;
};

/// Words to print, and how to exit: --help, --version, or a command line that makes no sense.
struct EarlyExit {
  std::string text;
  int exit_code = 0;
};

using Command = std::variant<EarlyExit, CheckOptions, ProbeOptions, DoctorOptions, CaptureOptions,
                             ReplayOptions, ExplainOptions, ConfigOptions, FindingsOptions>;

}  // namespace smaps_audit
