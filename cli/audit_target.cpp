// SPDX-License-Identifier: Apache-2.0
#include "cli/audit_target.h"

#include "audit/process_audit.h"
#include "collect/comm.h"
#include "collect/sampler.h"
#include "collect/target.h"

namespace smaps_audit {
namespace {

void set_refusal(ProcessReport& report, const RefusedTarget& refused) {
  report.explanation = refused.error.message();
  switch (refused.why) {
    case Refusal::kernel_thread:
      report.verdict = Verdict::skipped;
      report.kernel_thread = true;
      report.reason = "kernel_thread";
      return;
    case Refusal::zombie:
      report.verdict = Verdict::skipped;
      report.reason = "zombie";
      return;
    case Refusal::gone:
      report.verdict = Verdict::vanished;
      report.reason = "gone";
      return;
    case Refusal::denied:
      report.verdict = Verdict::denied;
      report.reason = refused.error.errno_value == 0 || refused.error.what.starts_with("hidden")
                          ? "hidepid"
                          : "permission";
      return;
    case Refusal::malformed:
      report.verdict = Verdict::inconclusive;
      report.reason = "malformed";
      return;
    case Refusal::unreadable:
      report.verdict = Verdict::inconclusive;
      report.reason = "read_error";
      return;
    case Refusal::no_pagemap:
      report.verdict = Verdict::inconclusive;
      report.reason = "no_pagemap";
      return;
  }
}

std::string_view reason_of(Fate fate) {
  switch (fate) {
    case Fate::exited: return "exited";
    case Fate::executed: return "exec";
    case Fate::replaced:
    case Fate::same: return "identity";  // it is there, but the mm that we read is not
  }
  return "identity";
}

/// The audit had to end early. Nothing that was seen until then becomes a finding.
void set_broken_off(ProcessReport& report, const Error& error, KernelView& view,
                    const Target& target) {
  report.explanation = error.message();
  switch (error.code) {
    case ErrorCode::gone:
      report.verdict = Verdict::vanished;
      report.reason = reason_of(target.fate(view).value_or(Fate::exited));
      return;
    case ErrorCode::denied:
      report.verdict = Verdict::denied;
      report.reason = "permission";
      return;
    case ErrorCode::deadline:
      report.verdict = Verdict::inconclusive;
      report.reason = "contended";
      return;
    case ErrorCode::malformed:
    case ErrorCode::truncated:
      report.verdict = Verdict::inconclusive;
      report.reason = "malformed";
      return;
    case ErrorCode::unsupported:
    case ErrorCode::io:
    case ErrorCode::usage:
    case ErrorCode::diverged:
      report.verdict = Verdict::inconclusive;
      report.reason = "read_error";
      return;
  }
}

}  // namespace

ProcessReport audit_target(KernelView& view, const KernelCapabilities& capabilities,
                           const PageGeometry& pages, int pid, const AuditOptions& options) {
  ProcessReport report;
  report.pid = pid;
  RefusedTarget refused;
  const Result<Target> target = Target::open(view, pid, refused);
  if (!target) {
    set_refusal(report, refused);
    if (report.verdict != Verdict::vanished) report.comm = read_comm(view, pid);
    return report;
  }
  report.comm = target->comm();
  report.start_time_ticks = target->start_time_ticks();

  ProcessAudit audit{
      capabilities,
      pages,
      {.full_series = options.full_series, .confirm = options.confirm, .frozen = options.frozen}};
  const SampleLimits limits{.deadline = view.monotonic_now() + options.deadline,
                            .sharing = options.sharing.get()};
  Sampler sampler{view, capabilities, pages, *target, limits};
  Result<Ok> done = sampler.sweep(audit);
  // Its other files may speak of the mm of another program by now.
  if (done && !audit.known_page()) {
    done = Error{.code = ErrorCode::gone,
                 .what = "the audited address space is gone",
                 .file = target->smaps().path()};
  }
  if (done) done = sampler.confirm(audit);
  // What a finished series proved stays proved when the time runs out in the next one.
  const bool out_of_time =
      !done && done.error().code == ErrorCode::deadline && audit.has_findings();
  if (done || out_of_time) done = target->still_same(view, audit.known_page());
  if (!done) {
    set_broken_off(report, done.error(), view, *target);
    return report;
  }
  audit.conclude(report);
  return report;
}

}  // namespace smaps_audit
