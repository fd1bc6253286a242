// SPDX-License-Identifier: Apache-2.0
#include "cli/check.h"

#include <algorithm>
#include <ostream>

#include "cli/check_metrics.h"
#include "cli/command_line.h"
#include "cli/exit_code.h"
#include "cli/freeze.h"
#include "cli/host_series.h"
#include "cli/progress.h"
#include "cli/render.h"
#include "cli/select.h"

namespace smaps_audit {
namespace {

ProcessReport skipped_self(int pid) {
  ProcessReport process;
  process.pid = pid;
  process.comm = "smaps-audit";
  process.verdict = Verdict::skipped;
  process.reason = "self";
  process.explanation = "An auditor that audits itself changes what it measures.";
  return process;
}

// One run: everything that the loop over the processes needs.
class Check {
 public:
  Check(const CheckOptions& options, CliEnvironment& environment, KernelView& view, Output& output)
      : options_(options), environment_(environment), view_(view), output_(output) {}

  int run() {
    const Result<HostInfo> host = environment_.host(view_);
    if (!host) return complain(environment_, host.error(), kExitCannotRun);
    report_.tool_version = tool_version();
    report_.host = *host;
    Result<KernelCapabilities> capabilities =
        environment_.capabilities(view_, host->pages, options_.common.without);
    if (!capabilities) return complain(environment_, capabilities.error(), kExitCannotRun);
    capabilities_ = *capabilities;
    Result<std::vector<int>> pids =
        select_processes(view_, options_.selection, options_.common.sys_root);
    if (!pids) return complain(environment_, pids.error(), kExitCannotRun);
    if (pids->empty()) {
      const Error nothing{.code = ErrorCode::gone, .what = "no process matches the selection"};
      return complain(environment_, nothing, kExitInconclusive);
    }
    own_pid_ = own_pid_in(view_).value_or(environment_.own_pid);
    return audit_all(*pids);
  }

 private:
  int audit_all(const std::vector<int>& pids) {
    report_.started = view_.wall_now();
    const Nanoseconds begun = view_.monotonic_now();
    Progress progress{environment_.err, environment_.err_is_terminal && !options_.common.quiet,
                      pids.size()};
    std::size_t done = 0;
    for (const int pid : pids) {
      if (environment_.stop_signal() != 0) break;
      progress.update(done++, report_.summary.finding, pid);
      if (is(Format::prometheus)) metrics_.before_audit(view_, pid);
      Result<ProcessReport> process = audit_one(pid);
      if (!process) {
        progress.clear();
        return complain(environment_, process.error(), kExitCannotRun);
      }
      if (is(Format::prometheus)) metrics_.audited(*process, view_.wall_now());
      if (process->reason == "stuck") sharing_ = std::make_shared<MmSharing>();
      report_.summary.count(*process);
      if (!keep(*std::move(process))) break;
    }
    progress.clear();
    // A line of jsonl is a process, a metric is of a group: there is no place for more.
    if (!is(Format::jsonl) && !is(Format::prometheus)) {
      report_.notes = ask_host(view_, report_.host, options_.selection, options_.common.sys_root,
                               environment_.stop_signal);
    }
    report_.duration = view_.monotonic_now() - begun;
    return finish(pids.size());
  }

  Result<ProcessReport> audit_one(int pid) {
    if (pid == own_pid_) return skipped_self(pid);
    AuditOptions audit{
        .confirm = options_.confirm, .deadline = options_.deadline, .sharing = sharing_};
    if (!options_.freeze)
      return environment_.audit(view_, capabilities_, report_.host.pages, pid, audit);
    const Result<Freeze> freeze = Freeze::hold(view_, pid);
    // One that is gone, cannot be stopped in time, or has a debugger, is still worth its verdict.
    if (!freeze && freeze.error().code == ErrorCode::denied && is_only_target()) {
      return freeze.error();
    }
    audit.frozen = freeze.ok();
    return environment_.audit(view_, capabilities_, report_.host.pages, pid, audit);
  }

  bool is(Format format) const { return options_.common.format == format; }

  bool is_only_target() const {
    const Selection& wanted = options_.selection;
    return !wanted.all && !wanted.has_filter() && wanted.pids.size() == 1;
  }

  // False when nobody reads any more.
  bool keep(ProcessReport process) {
    if (is(Format::jsonl)) {
      write_process_line(output_.stream(), process);
      output_.stream().flush();
    } else if (!is(Format::prometheus)) {
      report_.processes.push_back(std::move(process));
      return true;
    }
    process.findings.clear();
    process.notes.clear();
    report_.processes.push_back(std::move(process));
    return output_.stream().good();
  }

  int finish(std::size_t selected) {
    int exit_code = exit_code_of(report_, options_.selection, options_.min_coverage);
    const int signal = environment_.stop_signal();
    if (is(Format::prometheus)) {
      // The sums of some of them would look like a fleet that shrinks.
      if (signal == 0) output_.stream() << metrics_.text(report_, capabilities_);
    } else if (!is(Format::jsonl)) {
      render(output_, report_, environment_, options_.common);
    }
    if (signal != 0) {
      exit_code = kExitSignalBase + signal;
      environment_.err << "smaps-audit: interrupted after " << report_.processes.size() << " of "
                       << selected << " processes\n"
                       << std::flush;
      if (is(Format::prometheus)) return exit_code;
    }
    return finish_output(output_, environment_, exit_code);
  }

  const CheckOptions& options_;
  CliEnvironment& environment_;
  KernelView& view_;
  Output& output_;
  KernelCapabilities capabilities_;
  std::shared_ptr<MmSharing> sharing_ = std::make_shared<MmSharing>();
  AuditReport report_;
  CheckMetrics metrics_;
  int own_pid_ = 0;
};

}  // namespace

int exit_code_of(const AuditReport& report, const Selection& selection, double min_coverage) {
  if (report.summary.finding != 0) return kExitFinding;
  const bool named_unclear = std::any_of(
      report.processes.begin(), report.processes.end(), [&](const ProcessReport& process) {
        const bool named = std::find(selection.pids.begin(), selection.pids.end(), process.pid) !=
                           selection.pids.end();
        return named && !is_conclusive(process.verdict);
      });
  if (named_unclear) return kExitInconclusive;
  const bool selected_otherwise = selection.all || selection.has_filter();
  if (selected_otherwise && report.summary.coverage() < min_coverage) return kExitInconclusive;
  return kExitClean;
}

int run_check(const CheckOptions& options, CliEnvironment& environment) {
  // node_exporter is another user, and a timer's umask is nobody's wish.
  const FileMode mode =
      options.common.format == Format::prometheus ? FileMode::for_everybody : FileMode::by_umask;
  Result<Output> output = Output::open(options.common.output, environment.out, mode);
  if (!output) return complain(environment, output.error(), kExitCannotRun);
  const std::unique_ptr<KernelView> view =
      environment.open_view(options.common.proc_root, options.common.sys_root);
  return Check{options, environment, *view, *output}.run();
}

}  // namespace smaps_audit
