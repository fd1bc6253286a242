// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <map>
#include <string>

#include "audit/verdict.h"
#include "collect/kernel_capabilities.h"
#include "collect/kernel_view.h"
#include "daemon/protocol.h"
#include "report/report.h"

namespace smaps_audit {

/// What `check --format prometheus` writes: the service's metrics, as far as one run knows them, of
/// groups of processes by the service's default rules. Like /metrics it names no process.
class CheckMetrics {
 public:
  /// Reads whom the process belongs to, while it is there.
  void before_audit(KernelView& view, int pid);
  void audited(const ProcessReport& process, std::chrono::nanoseconds wall_now);

  /// The page in Prometheus' text format, once every process was audited.
  [[nodiscard]] std::string text(const AuditReport& report,
                                 const KernelCapabilities& capabilities) const;

 private:
  struct Process {
    service::ProcessListing listing;
    ProcessReport report;
    std::chrono::nanoseconds audited{};
  };
  std::map<int, Process> processes_;  ///< by pid
};

}  // namespace smaps_audit
