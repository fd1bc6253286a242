// SPDX-License-Identifier: Apache-2.0
#include "cli/run.h"

#include <ostream>

#include "cli/capture_replay.h"
#include "cli/check.h"
#include "cli/command_line.h"
#include "cli/config_command.h"
#include "cli/doctor.h"
#include "cli/exit_code.h"
#include "cli/explain.h"
#include "cli/findings.h"
#include "cli/probe.h"
#include "cli/render.h"
#include "report/printable.h"

namespace smaps_audit {
namespace {

struct Runner {
  CliEnvironment& environment;

  int operator()(const EarlyExit& early) const {
    if (early.exit_code != kExitClean) {
      environment.err << early.text << std::flush;
      return early.exit_code;
    }
    Output output = *Output::open(std::nullopt, environment.out);
    output.stream() << early.text;
    return finish_output(output, environment, kExitClean);
  }
  int operator()(const CheckOptions& options) const { return run_check(options, environment); }
  int operator()(const ProbeOptions& options) const { return run_probes(options, environment); }
  int operator()(const DoctorOptions& options) const { return run_doctor(options, environment); }
  int operator()(const CaptureOptions& options) const { return run_capture(options, environment); }
  int operator()(const ReplayOptions& options) const { return run_replay(options, environment); }
  int operator()(const ExplainOptions& options) const { return run_explain(options, environment); }
  int operator()(const FindingsOptions& options) const {
    return run_findings(options, environment);
  }
  int operator()(const ConfigOptions& options) const { return run_config(options, environment); }
};

}  // namespace

int run_smaps_audit(int argc, const char* const* argv, CliEnvironment& environment) {
  return std::visit(Runner{environment}, parse_command_line(argc, argv));
}

}  // namespace smaps_audit
