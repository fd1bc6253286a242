// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/settings.h"
#include "daemon/store/stored_finding.h"

namespace smaps_audit::store {

/// What may be kept. Bytes of findings are those of the database. Age counts from when a finding
/// was resolved: what is open never grows too old.
struct RetentionLimits {
  Retention findings;
  Retention captures;
};

/// A finding as retention sees it.
struct RetentionRow {
  std::int64_t id = 0;
  std::optional<WallTime> resolved;
  WallTime last_seen{};
  std::optional<std::int64_t> report_id;
  std::uint64_t report_bytes = 0;
  std::optional<std::string> capture;
  std::uint64_t capture_bytes = 0;
};

struct RetentionPlan {
  std::vector<std::int64_t> findings;  ///< to delete, and captures that only they refer to
  std::vector<std::string> captures;   ///< to delete although a finding stays
  [[nodiscard]] bool empty() const { return findings.empty() && captures.empty(); }
};

/// First what was resolved too long ago; then, until count and bytes fit, the oldest resolved; what
/// is open only when nothing resolved is left, the longest unseen first. Captures by the same rule
/// after that: one is open as long as any of its findings is. `database_bytes` is what the database
/// takes now.
RetentionPlan plan_retention(std::vector<RetentionRow> rows, const RetentionLimits& limits,
                             WallTime now, std::uint64_t database_bytes);

}  // namespace smaps_audit::store
