// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "daemon/metrics.h"
#include "daemon/snapshot.h"

namespace smaps_audit::service {

/// The document of /api/v1/status, schema smaps-audit.status/1 (docs/api.md). `all`: findings one
/// by one with pid and comm, for those who may see them; else sums by group.
std::string status_json(const Snapshot& snapshot, const ProcessCost& cost, bool all);

}  // namespace smaps_audit::service
