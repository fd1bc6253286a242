// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/page_geometry.h"

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
};

}  // namespace smaps_audit
