// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "daemon/store/stored_finding.h"

namespace smaps_audit::store {

/// One JSON object on one line without a '\n', ASCII only; what is unknown is null. `report` is the
/// process report as JSON, or nullopt: then there is no such member.
std::string finding_to_json(const StoredFinding& finding,
                            const std::optional<std::string>& capture_path,
                            const std::optional<std::string>& report = std::nullopt);

}  // namespace smaps_audit::store
