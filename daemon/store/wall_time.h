// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>

namespace smaps_audit::store {

/// Time on the wall clock, since 1970-01-01 UTC.
using WallTime = std::chrono::nanoseconds;

/// "20261123T060408Z"
std::string compact_time(WallTime when);
/// "2026-11-23 06:04:08 UTC"
std::string time_text(WallTime when);
/// "11-23 06:04", in UTC
std::string short_time(WallTime when);

}  // namespace smaps_audit::store
