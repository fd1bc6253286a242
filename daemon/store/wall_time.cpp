// SPDX-License-Identifier: Apache-2.0
#include "daemon/store/wall_time.h"

#include "base/utc_text.h"

namespace smaps_audit::store {

std::string compact_time(WallTime when) { return utc_text(when, "%Y%m%dT%H%M%SZ"); }
std::string time_text(WallTime when) { return utc_text(when, "%Y-%m-%d %H:%M:%S UTC"); }
std::string short_time(WallTime when) { return utc_text(when, "%m-%d %H:%M"); }

}  // namespace smaps_audit::store
