// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "audit/host_notes.h"
#include "audit/verdict.h"
#include "collect/host.h"

namespace smaps_audit {

/// Everything that one run of `check` or `replay` has to say; schema smaps-audit.report/1.
struct AuditReport {
  std::string tool_version;
  HostInfo host;
  std::chrono::nanoseconds started{};  ///< wall clock, since 1970-01-01 UTC
  std::chrono::nanoseconds duration{};
  Summary summary;
  std::vector<ProcessReport> processes;
  std::vector<HostNote> notes;  ///< of the whole host or of a cgroup; the exit code is not theirs
};

/// How text is laid out.
struct TextStyle {
  bool colour = false;
  unsigned columns = 80;
  bool verbose = false;  ///< the table lists every process, not only those worth reading
  bool advice = true;    ///< false: without defects and what to do, which stand elsewhere
};

/// One JSON document with a '\n' at the end, ASCII only. In byte strings that are not UTF-8 each
/// bad byte becomes the four characters `\xNN` (report/printable.h): never dropped, never an
/// exception. What is unknown is null.
void write_json(std::ostream& out, const AuditReport& report);

/// One element of `processes` on one line, with '\n' (also the worker's line).
void write_process_line(std::ostream& out, const ProcessReport& process);

/// The most lines that `write_text` takes for one process at 80 columns.
inline constexpr std::size_t kMaxProcessLines = 24;

/// For people: one process in full (≤ 24 lines at 80 columns), or several as a table of those worth
/// reading with a summary. Names from the target are printed with control bytes escaped.
void write_text(std::ostream& out, const AuditReport& report, const TextStyle& style);

}  // namespace smaps_audit
