// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/result.h"
#include "daemon/store/stored_finding.h"

/// Private to the store: names of files, and what is moved out of the way.
namespace smaps_audit::store {

inline constexpr const char* kDatabaseFile = "findings.db";
inline constexpr const char* kCapturesFolder = "captures";
/// Damaged databases that are kept for somebody to look at; older ones are removed.
inline constexpr std::size_t kKeptAside = 2;

/// Renames a damaged database with its journal, and its captures, to "….corrupt-<time>". Returns
/// the database's new path.
Result<std::string> move_aside(const std::string& directory, WallTime now);

}  // namespace smaps_audit::store
