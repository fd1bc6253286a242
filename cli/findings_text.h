// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "daemon/store/stored_finding.h"
#include "report/report.h"

namespace smaps_audit {

/// A line each, at most as wide as the style says; then how many there are (`in_store` in all).
void write_findings_table(std::ostream& out, const std::vector<store::StoredFinding>& findings,
                          std::size_t in_store, const TextStyle& style);

/// Everything about one, with what to do, and the audit that saw it last (`report`, as JSON).
void write_stored_finding(std::ostream& out, const store::StoredFinding& finding,
                          const std::optional<std::string>& capture_path,
                          const std::optional<std::string>& report, const TextStyle& style);

}  // namespace smaps_audit
