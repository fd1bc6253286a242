// SPDX-License-Identifier: Apache-2.0
#include "cli/render.h"

#include <cerrno>
#include <csignal>
#include <ostream>

#include "cli/exit_code.h"
#include "report/printable.h"

namespace smaps_audit {

TextStyle style_for(const CliEnvironment& environment, const CommonOptions& common,
                    const Output& output) {
  const bool terminal = environment.out_is_terminal && !output.is_file();
  return TextStyle{.colour = terminal && environment.colour_allowed && !common.no_colour,
                   .columns = terminal ? environment.columns : 80,
                   .verbose = common.verbose};
}

void render(Output& output, const AuditReport& report, const CliEnvironment& environment,
            const CommonOptions& common) {
  const Summary& summary = report.summary;
  switch (common.format) {
    case Format::json: write_json(output.stream(), report); break;
    case Format::jsonl:
      for (const ProcessReport& process : report.processes) {
        write_process_line(output.stream(), process);
      }
      break;
    case Format::tap:         // probes only
    case Format::prometheus:  // check only
    case Format::text:
      if (common.quiet && summary.finding == 0 && summary.inconclusive == 0) break;
      write_text(output.stream(), report, style_for(environment, common, output));
      break;
  }
}

int complain(CliEnvironment& environment, const Error& error, int exit_code) {
  environment.err << "smaps-audit: " << printable(error.message()) << '\n' << std::flush;
  return exit_code;
}

int finish_output(Output& output, CliEnvironment& environment, int exit_code) {
  const Result<Ok> committed = output.commit();
  if (committed) return exit_code;
  const auto* const buffer = dynamic_cast<FdStreambuf*>(output.stream().rdbuf());
  const int reason = buffer == nullptr ? 0 : buffer->error_number();
  if (reason == EPIPE) return kExitSignalBase + SIGPIPE;
  Error error = committed.error();
  if (error.errno_value == 0) error.errno_value = reason;
  return complain(environment, error, kExitCannotRun);
}

}  // namespace smaps_audit
