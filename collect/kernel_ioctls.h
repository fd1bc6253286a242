// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <linux/ioctl.h>

#include <cstdint>

/// For live_kernel_view.cpp and the worker's sandbox: two ioctls newer than Debian 12's headers, as
/// in Linux include/uapi/linux/fs.h (PAGEMAP_SCAN since 6.7, PROCMAP_QUERY since 6.11). The ABI is
/// fixed, so own names are used, which cannot clash with those of a newer libc.
namespace smaps_audit::uapi {

/// struct pm_scan_arg. `flags` stays 0: PM_SCAN_WP_MATCHING would write-protect the target's pages.
struct PagemapScanArgument {
  std::uint64_t size = sizeof(PagemapScanArgument);
  std::uint64_t flags = 0;
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  std::uint64_t walk_end = 0;  ///< out
  std::uint64_t vec = 0;       ///< address of struct page_region[]
  std::uint64_t vec_len = 0;
  std::uint64_t max_pages = 0;  ///< 0: no limit
  std::uint64_t category_inverted = 0;
  std::uint64_t category_mask = 0;
  std::uint64_t category_anyof_mask = 0;
  std::uint64_t return_mask = 0;
};
static_assert(sizeof(PagemapScanArgument) == 96);

/// struct procmap_query. Name and build id are not asked for (their sizes stay 0).
struct ProcmapQueryArgument {
  std::uint64_t size = sizeof(ProcmapQueryArgument);
  std::uint64_t query_flags = 0;
  std::uint64_t query_addr = 0;
  std::uint64_t vma_start = 0;  ///< out, as all up to dev_minor
  std::uint64_t vma_end = 0;
  std::uint64_t vma_flags = 0;
  std::uint64_t vma_page_size = 0;
  std::uint64_t vma_offset = 0;
  std::uint64_t inode = 0;
  std::uint32_t dev_major = 0;
  std::uint32_t dev_minor = 0;
  std::uint32_t vma_name_size = 0;
  std::uint32_t build_id_size = 0;
  std::uint64_t vma_name_addr = 0;
  std::uint64_t build_id_addr = 0;
};
static_assert(sizeof(ProcmapQueryArgument) == 104);

/// PROCMAP_QUERY_COVERING_OR_NEXT_VMA
inline constexpr std::uint64_t kCoveringOrNextVma = 0x10;

/// PROCFS_IOCTL_MAGIC is 'f'.
inline constexpr unsigned long kPagemapScan = _IOWR('f', 16, PagemapScanArgument);
inline constexpr unsigned long kProcmapQuery = _IOWR('f', 17, ProcmapQueryArgument);

}  // namespace smaps_audit::uapi
