// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cli/environment.h"
#include "cli/options.h"
#include "collect/capture_metadata.h"
#include "report/report.h"

namespace smaps_audit {

/// The audit that a capture records and that its replay repeats: the same reads in the same order,
/// because both are this function.
AuditReport audit_for_capture(KernelView& view, const CaptureMetadata& metadata,
                              const CliEnvironment& environment);

/// `smaps-audit capture`: exit code as of check; 77 if the capture cannot be written.
int run_capture(const CaptureOptions& options, CliEnvironment& environment);

/// `smaps-audit replay`: exit code as of check; 65 for a capture that is broken or that does not
/// hold what the audit asks for.
int run_replay(const ReplayOptions& options, CliEnvironment& environment);

}  // namespace smaps_audit
