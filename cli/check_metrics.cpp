// SPDX-License-Identifier: Apache-2.0
#include "cli/check_metrics.h"

#include <vector>

#include "config/settings.h"
#include "daemon/group_of.h"
#include "daemon/ledger.h"
#include "daemon/metrics.h"
#include "daemon/screen.h"

namespace smaps_audit {

void CheckMetrics::before_audit(KernelView& view, int pid) {
  auto listing = service::Screener{view}.list(pid);
  if (listing) processes_[pid].listing = *std::move(listing);
}

void CheckMetrics::audited(const ProcessReport& process, std::chrono::nanoseconds wall_now) {
  const auto found = processes_.find(process.pid);
  if (found == processes_.end()) return;
  if (process.verdict == Verdict::vanished || process.verdict == Verdict::skipped) {
    processes_.erase(found);
    return;
  }
  found->second.report = process;
  found->second.audited = wall_now;
}

std::string CheckMetrics::text(const AuditReport& report,
                               const KernelCapabilities& capabilities) const {
  std::vector<service::ProcessListing> listings;
  listings.reserve(processes_.size());
  for (const auto& [pid, process] : processes_) listings.push_back(process.listing);
  service::Ledger ledger;
  const auto end = report.started + report.duration;
  ledger.listed(std::move(listings), service::group_of(TargetSettings{}), end);
  for (const auto& [pid, process] : processes_) ledger.audited(process.report, process.audited);

  service::Snapshot snapshot;
  snapshot.taken = end;
  snapshot.tool_version = report.tool_version;
  snapshot.host = report.host;
  ledger.describe(snapshot);
  // Of all that were asked for, as the other formats count them.
  const Summary& summary = report.summary;
  snapshot.verdicts = {summary.consistent, summary.finding,  summary.inconclusive,
                       summary.denied,     summary.vanished, summary.skipped};
  snapshot.processes = summary.audited + summary.denied + summary.vanished + summary.skipped;
  snapshot.coverage = summary.coverage();
  snapshot.schedule.last_sweep_age = std::chrono::nanoseconds{0};
  snapshot.schedule.last_sweep_length = report.duration;
  snapshot.worker.capabilities = service::capability_flags(capabilities);
  snapshot.exported_groups =
      service::ExportChoice{}.choose(snapshot, LimitSettings{}.exported_groups);
  return service::check_metrics_text(snapshot);
}

}  // namespace smaps_audit
