// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "collect/kernel_view.h"

namespace smaps_audit {

/// What a child of our own shows of the kernel. Both are false if the child could not be had.
struct CounterChildAnswer {
  bool wchan_works = false;  ///< wchan of its sleeping threads is told
  bool counters_exact =
      false;  ///< RssAnon is what smaps counts, with pages faulted by many threads
};

/// Forks a child (killed with us, 4 MiB, some milliseconds) whose threads each fault in a number of
/// pages that no per-thread or per-CPU batch divides, and compares RssAnon with the sum of smaps:
/// kernels up to 6.1 cache the counter per thread, 6.2–6.15 per CPU (docs/kernel.md §2, P17).
CounterChildAnswer ask_counter_child(KernelView& view);

}  // namespace smaps_audit
