// SPDX-License-Identifier: Apache-2.0
#include "cli/capture_replay.h"

#include <unistd.h>

#include <ostream>

#include "cli/check.h"
#include "cli/command_line.h"
#include "cli/exit_code.h"
#include "cli/freeze.h"
#include "cli/render.h"
#include "cli/select.h"
#include "collect/capture_file.h"
#include "collect/comm.h"
#include "collect/recording_kernel_view.h"
#include "collect/replaying_kernel_view.h"

namespace smaps_audit {
namespace {

int verdict_exit(const AuditReport& report, int pid) {
  Selection selection;
  selection.pids = {pid};
  return exit_code_of(report, selection, 1.0);
}

Result<CaptureMetadata> describe_capture(KernelView& view, const CaptureOptions& options,
                                         const CliEnvironment& environment) {
  const Result<HostInfo> host = environment.host(view);
  if (!host) return host.error();
  const Result<KernelCapabilities> capabilities =
      environment.capabilities(view, host->pages, options.common.without);
  if (!capabilities) return capabilities.error();
  return CaptureMetadata{.tool_version = std::string{tool_version()},
                         .host = *host,
                         .capabilities = *capabilities,
                         .pid = options.pid,
                         .full_series = true,
                         .frozen = options.freeze,
                         .uid = static_cast<std::uint32_t>(::getuid()),
                         .deadline_ns = options.deadline.count(),
                         .comm = read_comm(view, options.pid)};
}

int show(const AuditReport& report, int pid, Output& output, CliEnvironment& environment,
         const CommonOptions& common) {
  render(output, report, environment, common);
  return finish_output(output, environment, verdict_exit(report, pid));
}

}  // namespace

AuditReport audit_for_capture(KernelView& view, const CaptureMetadata& metadata,
                              const CliEnvironment& environment) {
  AuditReport report;
  report.tool_version = tool_version();
  report.host = metadata.host;
  report.started = view.wall_now();
  const Nanoseconds begun = view.monotonic_now();
  const AuditOptions audit{.full_series = metadata.full_series,
                           .frozen = metadata.frozen,
                           .deadline = Nanoseconds{metadata.deadline_ns}};
  report.processes.push_back(
      environment.audit(view, metadata.capabilities, metadata.host.pages, metadata.pid, audit));
  report.summary.count(report.processes.back());
  report.duration = view.monotonic_now() - begun;
  return report;
}

int run_capture(const CaptureOptions& options, CliEnvironment& environment) {
  const std::unique_ptr<KernelView> view =
      environment.open_view(options.common.proc_root, options.common.sys_root);
  if (own_pid_in(*view).value_or(environment.own_pid) == options.pid) {
    return complain(environment,
                    Error{.code = ErrorCode::usage, .what = "it cannot capture itself"},
                    kExitUsage);
  }
  if (!view->process_exists(options.pid)) {
    const Error gone{.code = ErrorCode::gone,
                     .what = "there is no process " + std::to_string(options.pid)};
    return complain(environment, gone, kExitInconclusive);
  }
  const Result<CaptureMetadata> metadata = describe_capture(*view, options, environment);
  if (!metadata) return complain(environment, metadata.error(), kExitCannotRun);
  Result<CaptureWriter> writer = CaptureWriter::create(options.file, *metadata);
  if (!writer) return complain(environment, writer.error(), kExitCannotRun);

  // Frozen through the live view: listing threads is no part of the audit.
  std::optional<Freeze> freeze;
  if (options.freeze) {
    Result<Freeze> held = Freeze::hold(*view, options.pid);
    if (!held) return complain(environment, held.error(), kExitCannotRun);
    freeze.emplace(*std::move(held));
  }
  AuditReport report;
  {
    RecordingKernelView recording{*view, *writer};
    report = audit_for_capture(recording, *metadata, environment);
  }
  freeze.reset();
  if (report.processes.back().reason == "stuck") {
    const Error stuck{.code = ErrorCode::deadline,
                      .what = "process " + std::to_string(options.pid) + ": " +
                              report.processes.back().explanation};
    return complain(environment, stuck, kExitInconclusive);
  }
  if (environment.stop_signal() != 0) return kExitSignalBase + environment.stop_signal();
  const Result<Ok> finished = writer->finish();
  if (!finished) return complain(environment, finished.error(), kExitCannotRun);
  Output output = *Output::open(std::nullopt, environment.out);
  return show(report, options.pid, output, environment, options.common);
}

int run_replay(const ReplayOptions& options, CliEnvironment& environment) {
  Result<CaptureReader> reader = CaptureReader::open(options.file);
  if (!reader) return complain(environment, reader.error(), kExitBadData);
  Result<Output> output = Output::open(options.common.output, environment.out);
  if (!output) return complain(environment, output.error(), kExitCannotRun);
  const CaptureMetadata metadata = reader->metadata();
  ReplayingKernelView view{*reader};
  const AuditReport report = audit_for_capture(view, metadata, environment);
  if (view.divergence()) return complain(environment, *view.divergence(), kExitBadData);
  return show(report, metadata.pid, *output, environment, options.common);
}

}  // namespace smaps_audit
