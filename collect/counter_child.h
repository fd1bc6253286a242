// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

#include "base/page_geometry.h"
#include "collect/kernel_capabilities.h"
#include "collect/kernel_view.h"

namespace smaps_audit {

/// What a child of our own shows of the kernel. False and `bounded` if it could not be had.
struct CounterChildAnswer {
  bool wchan_works = false;  ///< wchan of its sleeping threads is told
  RssCounterError counters = RssCounterError::bounded;
  /// Of a huge page that is mapped elsewhere in part: EXCLUSIVE (K09), and Private_* of smaps.
  bool exclusive_per_page = false;
  bool mapcount_per_page = false;
};

/// RssAnon of the child and what smaps counts as Anonymous, at one moment. Bytes.
struct CounterReading {
  std::uint64_t rss_anon = 0;
  std::uint64_t anonymous = 0;
};

/// What such readings show, of threads that all ran on one CPU: what a CPU may hold back is
/// bounded, and a deficit beyond that is what the threads hold back.
RssCounterError judge_counters(std::span<const CounterReading> readings, std::uint64_t cpus,
                               const PageGeometry& pages);

/// Forks a child (killed with us, 6 MiB, some milliseconds) whose threads each fault in a number of
/// pages that no per-thread or per-CPU batch divides, and compares RssAnon with the sum of smaps:
/// kernels up to 6.1 cache the counter per thread, 6.2–6.15 per CPU (docs/kernel.md §2, P17). A
/// huge page that the child has whole and we have in part shows what EXCLUSIVE speaks of (P18), and
/// whether smaps calls the other part private.
CounterChildAnswer ask_counter_child(KernelView& view, const PageGeometry& pages);

}  // namespace smaps_audit
