// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "tests/workloads/memory.h"

/// Brings memory into the state that the kernel's own NUMA balancing leaves it in, and proves it
/// (docs/kernel.md §5.1). Writes no sysctl.
namespace smaps_audit::workloads {

struct HintedMemory {
  Memory memory;  ///< all of it is hinted; one VMA
  bool proven = false;
  std::string why;
};

/// Makes `bytes` (whole PMDs) of touched memory, waits until balancing has hinted all of it, and
/// proves that by sentinels: the first and the last page take exactly one minor fault each. The
/// 2 MiB around either sentinel are given up for it and turned into guards, so that every page
/// of the result is hinted and no later scan can change it. No thread is left running.
HintedMemory make_hinted(std::size_t bytes, Pages pages);

/// Touches every 2 MiB of `memory` whose index is divisible by `stride`, at most `blocks` of them,
/// until none takes a fault any more: their hints are gone and stay gone. Returns the number
/// of blocks touched back; 0 if the scanner never let them be.
std::uint64_t touch_back(Memory memory, std::size_t stride, std::uint64_t blocks);

}  // namespace smaps_audit::workloads
