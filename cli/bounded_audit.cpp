// SPDX-License-Identifier: Apache-2.0
#include "cli/bounded_audit.h"

#include <atomic>
#include <future>
#include <thread>

#include "collect/comm.h"

namespace smaps_audit {
namespace {

std::atomic<bool> stuck{false};

}  // namespace

ProcessReport audit_bounded(KernelView& view, const KernelCapabilities& capabilities,
                            const PageGeometry& pages, int pid, const AuditOptions& options,
                            Nanoseconds grace) {
  ProcessReport given_up;
  given_up.pid = pid;
  given_up.comm = read_comm(view, pid);
  given_up.verdict = Verdict::inconclusive;
  given_up.reason = "stuck";
  given_up.explanation = "a read of its memory files has not come back";
  std::packaged_task<ProcessReport()> task{[&view, capabilities, pages, pid, options] {
    return audit_target(view, capabilities, pages, pid, options);
  }};
  std::future<ProcessReport> report = task.get_future();
  std::thread thread{std::move(task)};
  if (report.wait_for(options.deadline + grace) == std::future_status::ready) {
    thread.join();
    return report.get();
  }
  thread.detach();
  stuck = true;
  return given_up;
}

bool any_audit_stuck() { return stuck; }

}  // namespace smaps_audit
