// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"

namespace smaps_audit {

/// The counters of /proc/vmstat that bound how many pages can come without a fault of the target
/// (docs/method.md §4: H and C). Absent without CONFIG_TRANSPARENT_HUGEPAGE.
struct Vmstat {
  std::optional<std::uint64_t> thp_fault_alloc;
  std::optional<std::uint64_t> thp_file_mapped;
  std::optional<std::uint64_t> thp_collapse_alloc;
  std::optional<std::uint64_t> thp_collapse_alloc_failed;
  std::optional<std::uint64_t> numa_pte_updates;
  std::optional<std::uint64_t> numa_hint_faults;
};

/// Errors with the line: `malformed` (a known counter that is no number or stands twice, a line of
/// one word), `truncated` (empty, no '\n' at the end). Other counters are skipped.
Result<Vmstat> parse_vmstat(std::string_view text);

}  // namespace smaps_audit
