// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace smaps_audit {

/// One thing that `smaps-audit explain` knows.
struct Topic {
  std::string kind;  ///< "defect", "check", "reason", "error", "kernel field", "report field",
                     ///< "word", "resolution", "setting"
  std::string
      id;  ///< "K01", "I3", "maybe_pages", "smaps.Rss", "processes.truth.source", "audit.interval"
  std::string title;                                          ///< one line
  std::vector<std::pair<std::string, std::string>> sections;  ///< label → text; a label may repeat
};

/// Made from the tables of the program (defects, checks, reasons, error codes, fields, the report's
/// schema), so that nothing can be forgotten. By kind, in the order of those tables.
const std::vector<Topic>& all_topics();

/// Those whose id is `id`; else those whose id ends with ".<id>" ("Rss", "truth.source"). Upper and
/// lower case are one if nothing else fits. Empty: nothing is known of it.
std::vector<const Topic*> find_topics(std::string_view id);

/// At most three ids that somebody who typed `id` may have meant, the nearest first.
std::vector<std::string> similar_topics(std::string_view id);

}  // namespace smaps_audit
