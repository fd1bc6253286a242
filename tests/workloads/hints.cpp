// SPDX-License-Identifier: Apache-2.0
#include "tests/workloads/hints.h"

namespace smaps_audit::workloads {

HintedMemory make_hinted(std::size_t bytes, Pages pages) {
  const Balancing balancing{
      .pages_hinted = [] { return number_in(read_text("/proc/vmstat"), "numa_pte_updates"); },
      .on = [] { return !read_text("/proc/sys/kernel/numa_balancing").starts_with("0"); }};
  return probes::make_hinted(balancing, bytes, pages);
}

}  // namespace smaps_audit::workloads
