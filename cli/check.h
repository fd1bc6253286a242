// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cli/environment.h"
#include "cli/options.h"
#include "report/report.h"

namespace smaps_audit {

/// `smaps-audit check`: exit code.
int run_check(const CheckOptions& options, CliEnvironment& environment);

/// docs/design.md, "Exit": a finding speaks first; then named processes, each of which must be
/// conclusive; then the coverage of what was selected otherwise.
int exit_code_of(const AuditReport& report, const Selection& selection, double min_coverage);

}  // namespace smaps_audit
