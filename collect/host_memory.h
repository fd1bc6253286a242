// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "collect/kernel_view.h"
#include "parsers/meminfo.h"
#include "parsers/memory_stat.h"

namespace smaps_audit {

/// What one address space adds to the host, by its smaps_rollup. Bytes.
struct MemoryShare {
  int pid = 0;
  std::uint64_t start_time_ticks = 0;
  std::uint64_t pss_anon = 0;
  std::uint64_t pss_shared = 0;  ///< Pss_File + Pss_Shmem
  std::uint64_t anon_huge = 0;
  bool member = false;  ///< of the cgroup in question
};

/// One look at every process of a host, between two looks at its own counters.
struct HostMemory {
  Meminfo before;
  Meminfo after;
  std::optional<MemoryStat> stat_before;
  std::optional<MemoryStat> stat_after;
  bool device_memory = false;       ///< persistent memory, or a file system mounted with dax
  std::vector<MemoryShare> shares;  ///< one for each address space
};

/// The cgroup of check I14.
struct CgroupQuestion {
  std::string memory_stat;  ///< path below the sys root
  std::function<bool(int pid)> is_member;
};

/// nullopt unless the look is whole: the threads of all processes that /proc lists are as many as
/// the kernel says there are (so nothing is hidden, and no other pid namespace has processes of its
/// own), the same processes were there before and after, and each could be read.
std::optional<HostMemory> read_host_memory(KernelView& view,
                                           const std::optional<CgroupQuestion>& cgroup);

}  // namespace smaps_audit
