// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <iosfwd>

#include "audit/verdict.h"
#include "report/report.h"

namespace smaps_audit {

/// One process in full: at most kMaxProcessLines lines of at most `style.columns`.
void write_process_text(std::ostream& out, const ProcessReport& process, const TextStyle& style);

}  // namespace smaps_audit
