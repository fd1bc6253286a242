// SPDX-License-Identifier: Apache-2.0
#include "daemon/store/stored_finding.h"

#include <algorithm>

namespace smaps_audit::store {

std::string_view name_of(Resolution resolution) {
  switch (resolution) {
    case Resolution::process_ended: return "process_ended";
    case Resolution::audit_without_it: return "audit_without_it";
    case Resolution::rebooted: return "rebooted";
  }
  return "unknown";
}

std::string_view describe(Resolution resolution) {
  switch (resolution) {
    case Resolution::process_ended: return "the process has ended";
    case Resolution::audit_without_it: return "a later audit of the process did not show it";
    case Resolution::rebooted: return "the machine was booted anew";
  }
  return "unknown";
}

void merge(StoredFinding& into, StoredFinding newer) {
  newer.id = into.id;
  newer.first_seen = std::min(into.first_seen, newer.first_seen);
  newer.last_seen = std::max(into.last_seen, newer.last_seen);
  newer.times_seen += into.times_seen;
  newer.least_error_bytes = std::min(into.least_error_bytes, newer.least_error_bytes);
  newer.worst_error_bytes = std::max(into.worst_error_bytes, newer.worst_error_bytes);
  if (!newer.capture) newer.capture = std::move(into.capture);
  into = std::move(newer);
}

}  // namespace smaps_audit::store
