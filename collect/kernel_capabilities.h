// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/interval.h"
#include "base/page_geometry.h"
#include "base/result.h"
#include "collect/kernel_view.h"

namespace smaps_audit {

/// Switches that force a fallback, so that every one of them is tested (`--without NAME[,NAME…]`).
struct ForcedFallbacks {
  bool no_pagemap_scan = false;   ///< pagemap-scan: plain pagemap reads instead
  bool no_procmap_query = false;  ///< procmap-query: a second descriptor on maps instead
  bool no_pfn = false;            ///< pfn: as without CAP_SYS_ADMIN
  bool no_kpageflags = false;     ///< kpageflags
  bool no_kpagecount = false;     ///< kpagecount: how often shared pages are mapped stays unknown
  bool no_numa_maps = false;      ///< numa-maps: as without CONFIG_NUMA
  bool no_wchan = false;          ///< wchan: nothing is ever proven asleep
  bool operator==(const ForcedFallbacks&) const = default;
};

/// A word for each of them, in a command line or a configuration.
struct FallbackSwitch {
  std::string_view name;
  bool ForcedFallbacks::*flag;
};
std::span<const FallbackSwitch> fallback_switches();

/// How far VmRSS may be from the truth (docs/kernel.md §2), found by a child that faults from many
/// threads, not by version.
enum class RssCounterError : std::uint8_t {
  exact,       ///< the counters are summed on read
  per_thread,  ///< cached per thread (up to 6.1): too low, never too high
  bounded,     ///< maybe cached per CPU: the widest bound of kernel.md §2, both ways
};

/// What this kernel and these privileges can show, found by trying. Plain data: it goes into a
/// capture.
struct KernelCapabilities {
  bool pagemap = false;        ///< own pagemap can be read at all
  bool pagemap_scan = false;   ///< PAGEMAP_SCAN (6.7)
  bool procmap_query = false;  ///< PROCMAP_QUERY (6.11)
  bool smaps_rollup = false;
  bool numa_maps = false;    ///< CONFIG_NUMA
  bool wchan = false;        ///< a sleeping child's wchan is told
  bool pfn_visible = false;  ///< CAP_SYS_ADMIN: page frame numbers in pagemap
  bool kpageflags = false;
  bool kpagecount = false;
  /// EXCLUSIVE is told of each page that a PMD maps, not of the first for all of them (K09).
  bool exclusive_per_page = false;
  /// Shared_* and Private_* are told of each page, not of a whole folio (CONFIG_PAGE_MAPCOUNT).
  bool mapcount_per_page = false;
  bool scan_tells_guard = false;           ///< PAGE_IS_GUARD
  bool scan_flags_huge_zero = false;       ///< PFNZERO covers the huge zero folio (K12)
  std::optional<std::uint64_t> zero_pfn;   ///< of the shared zero page, where PFNs are visible
  std::optional<Interval> huge_zero_pfns;  ///< of the huge zero folio, inclusive
  RssCounterError rss_counters = RssCounterError::bounded;
  std::uint64_t fault_around_pages = 16;  ///< file fault-around (debugfs; 16 if unreadable)
  std::uint64_t anon_fault_pages = 1;     ///< pages one anonymous PTE fault may map (mTHP)
  std::uint64_t cpus = 1;
  bool operator==(const KernelCapabilities&) const = default;
};

/// Tries everything once. Keeps one zero page and one huge zero page of its own mapped for the life
/// of the process, so that their PFNs stay theirs (docs/method.md §4).
Result<KernelCapabilities> probe_kernel_capabilities(KernelView& view, const PageGeometry& pages,
                                                     const ForcedFallbacks& forced);

}  // namespace smaps_audit
