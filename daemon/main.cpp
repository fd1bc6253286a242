// SPDX-License-Identifier: Apache-2.0
#include <sys/auxv.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <exception>
#include <filesystem>
#include <iostream>

#include "cli/command_tree.h"
#include "cli/exit_code.h"
#include "collect/kernel_capabilities.h"
#include "daemon/metrics.h"
#include "daemon/service.h"
#include "daemon/spawner.h"
#include "daemon/worker.h"

namespace {

using namespace smaps_audit;

// What the spawner executes: `smaps-auditd --worker …`.
int run_as_worker(std::optional<std::string> proc_root, std::optional<std::string> sys_root,
                  const std::vector<std::string>& without) {
  service::WorkerOptions options;
  for (const FallbackSwitch& row : fallback_switches()) {
    options.without.*(row.flag) =
        std::find(without.begin(), without.end(), row.name) != without.end();
  }
  options.orders = UniqueFd{service::kOrderFd};
  options.answers = UniqueFd{service::kAnswerFd};
  options.scratch = UniqueFd{service::kScratchFd};
  options.heart = UniqueFd{service::kHeartFd};
  options.proc_root = std::move(proc_root);
  options.sys_root = std::move(sys_root);
  return service::run_worker(std::move(options));
}

// Whatever the current directory will be.
std::string own_program() {
  const auto name = ::getauxval(AT_EXECFN);
  std::error_code failed;
  const auto path = std::filesystem::canonical(reinterpret_cast<const char*>(name), failed);
  return failed ? "smaps-auditd" : path.string();
}

constexpr const char* kFooter = R"(
Addresses: 127.0.0.1:19755, [::1]:19755, :19755 (all), unix:/path.

Examples:
  smaps-auditd --config.file /etc/smaps-auditd/smaps-auditd.json
  smaps-auditd --once --no-web     one full audit of this host, to the log
  smaps-audit config check FILE    is a configuration right?
  smaps-audit findings list        what the service has found

Exit codes:
    0  stopped; --once: no finding      1  --once: at least one finding
   64  the command line makes no sense 70  internal error; the spawner is gone
   77  cannot run here (says why)      78  the configuration is wrong)";

int run(int argc, char** argv) {
  CLI::App app{"Audits what Linux says of the memory of this host's processes, all the time.",
               "smaps-auditd"};
  service::ServiceOptions options;
  std::optional<std::string> proc_root;
  std::optional<std::string> sys_root;
  std::vector<std::string> without;
  bool worker = false;
  bool table = false;
  bool commands = false;
  app.add_option("--config.file", options.config_file, "JSON with comments; else the defaults")
      ->type_name("FILE");
  app.add_option("--web.listen-address", options.listen, "Instead of web.listen; again for more")
      ->type_name("ADDRESS");
  app.add_option("--web.config.file", options.web_config, "TLS and passwords (exporter-toolkit)")
      ->type_name("FILE");
  app.add_flag("--web.systemd-socket", options.systemd_sockets,
               "Listen on what systemd hands over");
  app.add_flag("--no-web", options.no_web, "No HTTP: log and store only");
  app.add_flag("--once", options.once, "Audit every process once, then exit");
  app.add_flag("--worker", worker)->group("");
  app.add_flag("--print-metrics-table", table)->group("");
  app.add_flag("--print-commands", commands)->group("");
  app.add_option("--proc-root", proc_root)->group("");
  app.add_option("--sys-root", sys_root)->group("");
  app.add_option("--without", without)->group("");
  app.set_version_flag("--version", std::string{"smaps-auditd "} + SMAPS_AUDIT_VERSION);
  app.footer(kFooter);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& request) {
    return app.exit(request);
  } catch (const CLI::ParseError& error) {
    std::cerr << "smaps-auditd: " << error.what() << "\nTry: smaps-auditd --help\n";
    return kExitUsage;
  }
  if (worker) return run_as_worker(std::move(proc_root), std::move(sys_root), without);
  if (table || commands) {
    std::cout << (table ? service::metrics_markdown() : command_tree(app));
    return kExitClean;
  }
  options.worker_command = {own_program(), "--worker"};
  return service::run_service(options);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "smaps-auditd: internal error: " << error.what() << '\n';
    return kExitInternal;
  }
}
