// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"

namespace smaps_audit {

/// One 64-bit word of /proc/PID/pagemap (Documentation/admin-guide/mm/pagemap.rst, docs/kernel.md
/// §1.3).
struct PagemapWord {
  std::uint64_t raw = 0;

  [[nodiscard]] bool present() const { return (raw >> 63 & 1) != 0; }
  [[nodiscard]] bool swapped() const {
    return (raw >> 62 & 1) != 0;
  }  ///< any non-present, non-none entry
  [[nodiscard]] bool file() const { return (raw >> 61 & 1) != 0; }   ///< file page or shared anon
  [[nodiscard]] bool guard() const { return (raw >> 58 & 1) != 0; }  ///< 6.15
  [[nodiscard]] bool uffd_wp() const { return (raw >> 57 & 1) != 0; }
  [[nodiscard]] bool exclusive() const { return (raw >> 56 & 1) != 0; }
  [[nodiscard]] bool soft_dirty() const { return (raw >> 55 & 1) != 0; }
  /// Page frame number if present (0 without CAP_SYS_ADMIN).
  [[nodiscard]] std::uint64_t pfn() const { return raw & ((std::uint64_t{1} << 55) - 1); }
  /// Swap type and offset if swapped (0 without CAP_SYS_ADMIN).
  [[nodiscard]] std::uint64_t swap_type() const { return raw & 0x1f; }
  [[nodiscard]] std::uint64_t swap_offset() const {
    return (raw & ((std::uint64_t{1} << 55) - 1)) >> 5;
  }
};

/// The words of one pread, in the byte order of this machine. Error: `truncated` if the bytes are
/// no multiple of 8, with the offset of the word that is cut.
Result<std::vector<PagemapWord>> parse_pagemap(std::span<const std::byte> bytes);

/// Categories of PAGEMAP_SCAN (include/uapi/linux/fs.h; 6.7). Debian 12's headers lack them.
namespace page_is {
inline constexpr std::uint64_t kWpAllowed = 1u << 0;
inline constexpr std::uint64_t kWritten =
    1u << 1;  ///< never used: its meaning changed three times (K13)
inline constexpr std::uint64_t kFile = 1u << 2;
inline constexpr std::uint64_t kPresent = 1u << 3;
inline constexpr std::uint64_t kSwapped = 1u << 4;
inline constexpr std::uint64_t kPfnZero = 1u << 5;
inline constexpr std::uint64_t kHuge = 1u << 6;
inline constexpr std::uint64_t kSoftDirty = 1u << 7;
inline constexpr std::uint64_t kGuard = 1u << 8;
}  // namespace page_is

/// struct page_region: [start, end) in bytes, with equal categories throughout.
struct PageRegion {
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  std::uint64_t categories = 0;
};
static_assert(sizeof(PageRegion) == 24);

/// Checks what a PAGEMAP_SCAN returned: page-aligned, ascending, disjoint, inside [start,
/// walk_end). Error `malformed` names the index of the region, from 0, as `line`.
Result<Ok> validate_page_regions(std::span<const PageRegion> regions, std::uint64_t start,
                                 std::uint64_t walk_end, std::uint64_t page_bytes);

}  // namespace smaps_audit
