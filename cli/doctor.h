// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cli/environment.h"
#include "cli/options.h"
#include "report/doctor_report.h"

namespace smaps_audit {

/// What this kernel and these privileges can show: the capabilities, and actual reads of pid 1.
DoctorReport examine(KernelView& view, const HostInfo& host,
                     const KernelCapabilities& capabilities);

/// `smaps-audit doctor`: 0, or 77 if nothing can be audited here at all.
int run_doctor(const DoctorOptions& options, CliEnvironment& environment);

}  // namespace smaps_audit
