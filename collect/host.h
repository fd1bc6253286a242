// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/page_geometry.h"
#include "base/result.h"
#include "collect/kernel_view.h"

namespace smaps_audit {

/// The machine that a report speaks of. Unknown is nullopt, never 0.
struct HostInfo {
  std::string kernel_release;
  std::string machine;
  std::string boot_id;
  PageGeometry pages;
  std::optional<std::uint64_t> cpus;
  std::optional<std::uint64_t> numa_nodes;
  std::optional<std::uint64_t> numa_balancing;  ///< kernel.numa_balancing: 0, 1, 2
  std::optional<std::string> thp;               ///< the bracketed word: always, madvise, never
  bool pmd_bytes_assumed = false;               ///< hpage_pmd_size was not readable: 2 MiB assumed
};

/// Reads it from the running machine; a replay takes it from the capture's metadata instead,
/// because the page size (and, before 6.1, the machine) come from the C library and not through the
/// view. Error only if the release or the boot id is unreadable: without them no report can be told
/// from another machine's. Everything else is nullopt then.
Result<HostInfo> read_host_info(KernelView& view);

/// How many a list of the kernel names ("0-1,3" is 3); nullopt if it is none, or empty.
std::optional<std::uint64_t> count_of_list(std::string_view list);

}  // namespace smaps_audit
