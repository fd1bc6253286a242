// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cli/environment.h"
#include "cli/options.h"
#include "cli/output.h"
#include "report/report.h"

namespace smaps_audit {

/// How text is to look on this output.
TextStyle style_for(const CliEnvironment& environment, const CommonOptions& common,
                    const Output& output);

/// The whole report in the format that was asked for. jsonl: one line a process. Text with --quiet:
/// nothing unless something is wrong.
void render(Output& output, const AuditReport& report, const CliEnvironment& environment,
            const CommonOptions& common);

/// "smaps-audit: <message>" on stderr, with the target's bytes made printable; returns `exit_code`.
int complain(CliEnvironment& environment, const Error& error, int exit_code);

/// commit(), and what its failure means for the exit code: a reader that has gone is no error worth
/// a word (exit as on SIGPIPE), anything else is (77). Success leaves `exit_code`.
int finish_output(Output& output, CliEnvironment& environment, int exit_code);

}  // namespace smaps_audit
