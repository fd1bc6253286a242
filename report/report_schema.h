// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace smaps_audit {

/// A field of the JSON report, as schema/report-1.schema.json describes it.
struct ReportField {
  std::string path;     ///< "processes.findings.error_bytes"; elements of arrays have no name
  std::string type;     ///< "integer or null"
  std::string meaning;  ///< a sentence or two
};

/// A word that a field may hold: "inconclusive" of "processes.verdict".
struct ReportWord {
  std::string word;
  std::string path;
  std::string meaning;
};

/// Everything that the schema describes, in its order.
const std::vector<ReportField>& report_fields();
const std::vector<ReportWord>& report_words();

}  // namespace smaps_audit
