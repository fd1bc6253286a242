// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"

namespace smaps_audit {

/// What the audit needs of a cgroup's memory.stat (mm/memcontrol.c), in bytes:
///
///   anon 123456          (cgroup v2; v1: total_rss 123456)
///
/// It is of the cgroup and everything below it, and of the pages charged there, whoever maps them.
struct MemoryStat {
  std::optional<std::uint64_t> anon;
};

/// Errors with the line: `malformed` (a line that is not a name and a number, a known value that
/// stands twice), `truncated` (empty, no '\n' at the end). Other lines are skipped.
Result<MemoryStat> parse_memory_stat(std::string_view text);

}  // namespace smaps_audit
