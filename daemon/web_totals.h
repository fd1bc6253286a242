// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "daemon/metrics.h"
#include "daemon/web/web_counts.h"

namespace smaps_audit::service {

/// What the web server counted, by the words of the metrics' labels.
WebTotals totals_of(const WebCounts& counts);

}  // namespace smaps_audit::service
