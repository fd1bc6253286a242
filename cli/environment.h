// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>

#include "audit/verdict.h"
#include "base/result.h"
#include "cli/audit_target.h"
#include "collect/host.h"
#include "collect/kernel_capabilities.h"
#include "collect/kernel_view.h"
#include "probes/runner.h"

namespace smaps_audit {

/// What the program needs of the world, so that tests can give it another one. main() fills it.
struct CliEnvironment {
  std::ostream& out;  ///< data
  std::ostream& err;  ///< progress and diagnostics
  bool out_is_terminal = false;
  bool err_is_terminal = false;
  bool colour_allowed = true;  ///< no NO_COLOR, no TERM=dumb
  unsigned columns = 80;
  int own_pid = 0;

  /// Roots as given on the command line; nullopt: the running kernel's own.
  std::function<std::unique_ptr<KernelView>(const std::optional<std::string>& proc_root,
                                            const std::optional<std::string>& sys_root)>
      open_view;
  std::function<Result<HostInfo>(KernelView&)> host;
  std::function<Result<KernelCapabilities>(KernelView&, const PageGeometry&,
                                           const ForcedFallbacks&)>
      capabilities;
  std::function<ProcessReport(KernelView&, const KernelCapabilities&, const PageGeometry&, int,
                              const AuditOptions&)>
      audit;
  /// probes::run_probe.
  std::function<probes::ProbeResult(const probes::ProbeEnvironment&, const probes::Probe&,
                                    const probes::ProbeSetup&, std::chrono::nanoseconds)>
      run_probe;
  /// The signal that asked us to stop, 0 if none did.
  std::function<int()> stop_signal;
};

}  // namespace smaps_audit
