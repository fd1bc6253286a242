// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace smaps_audit {

/// Where the groups that are not exported are summed up; no group may have that name.
inline constexpr std::string_view kOtherGroup = "other";

}  // namespace smaps_audit
