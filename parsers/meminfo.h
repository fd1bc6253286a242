// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"

namespace smaps_audit {

/// What the audit needs of /proc/meminfo (fs/proc/meminfo.c), in bytes:
///
///   AnonPages:        123456 kB
///   HugePages_Total:       0          (a count: no unit; skipped)
///
/// Absent is not zero: AnonHugePages needs CONFIG_TRANSPARENT_HUGEPAGE, HardwareCorrupted
/// CONFIG_MEMORY_FAILURE.
struct Meminfo {
  std::optional<std::uint64_t> total;               ///< MemTotal
  std::optional<std::uint64_t> anon_pages;          ///< AnonPages: mapped anonymous memory
  std::optional<std::uint64_t> mapped;              ///< Mapped: mapped file and shared memory
  std::optional<std::uint64_t> anon_huge_pages;     ///< AnonHugePages
  std::optional<std::uint64_t> file_huge_pages;     ///< FileHugePages (5.4)
  std::optional<std::uint64_t> hardware_corrupted;  ///< HardwareCorrupted
};

/// Errors with the line: `malformed` (a line without a key, a known value that is no number of kB,
/// or that stands twice), `truncated` (empty, no '\n' at the end). Other lines are skipped.
Result<Meminfo> parse_meminfo(std::string_view text);

}  // namespace smaps_audit
