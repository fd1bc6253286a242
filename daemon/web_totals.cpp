// SPDX-License-Identifier: Apache-2.0
#include "daemon/web_totals.h"

namespace smaps_audit::service {

WebTotals totals_of(const WebCounts& counts) {
  WebTotals totals;
  for (const RequestCount& row : counts.requests) {
    totals.requests[{std::string{name_of(row.path_class)}, row.status}] += row.count;
  }
  totals.refused = {{"total_limit", counts.refused_total_limit},
                    {"address_limit", counts.refused_address_limit},
                    {"expired", counts.expired},
                    {"incomplete", counts.incomplete},
                    {"tls", counts.tls_failures},
                    {"password", counts.auth_failures},
                    {"password_rate", counts.auth_refused}};
  return totals;
}

}  // namespace smaps_audit::service
