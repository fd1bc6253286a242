// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace smaps_audit {

/// One line of /proc/PID/numa_maps (fs/proc/task_mmu.c: show_numa_map):
///
///   7f1c2a000000 bind=balancing:0-1 anon=16384 dirty=16384 active=0 N0=16384 kernelpagesize_kB=4
///   7f1c2e000000 default file=/usr/lib/x\040y mapped=3 mapmax=9 N0=3 kernelpagesize_kB=4
///   7f1c2f000000 default                       (no page: no counts at all)
///
/// Counts are in units of `kernel_page_bytes` for hugetlb VMAs ("huge") and of base pages
/// otherwise. A count that the kernel leaves out because it is zero or equal to the total is
/// nullopt.
struct NumaMapsRecord {
  std::uint64_t start = 0;       ///< bytes; numa_maps tells no end
  std::string_view policy = {};  ///< "default", "bind:0", "prefer (many):0-1" …
  std::string_view file = {};    ///< as written, with \040 escapes; empty if none
  bool heap = false;
  bool stack = false;
  bool huge = false;  ///< hugetlb
  std::optional<std::uint64_t> anon_pages;
  std::optional<std::uint64_t> dirty_pages;
  std::optional<std::uint64_t> mapped_pages;
  std::optional<std::uint64_t> mapmax;
  std::optional<std::uint64_t> swapcache_pages;
  std::optional<std::uint64_t> active_pages;
  std::optional<std::uint64_t> writeback_pages;
  std::optional<std::uint64_t> kernel_page_bytes;
  std::uint64_t total_pages =
      0;                    ///< sum of N<node>=; 0 where there is none (the kernel omits zeros)
  std::uint32_t nodes = 0;  ///< how many N<node>= there were
  std::uint32_t unknown_fields = 0;
};

struct NumaMapsText {
  std::vector<NumaMapsRecord> records;
  std::uint64_t unknown_fields = 0;
};

/// Whole lines. Errors with the line: `malformed` (a known field that is no number or stands twice,
/// nodes that do not ascend or whose sum overflows), `truncated` (no '\n' at the end). A policy may
/// hold blanks ("prefer (many):0"), so tokens up to the first known key belong to it.
Result<NumaMapsText> parse_numa_maps(std::string_view text);

}  // namespace smaps_audit
