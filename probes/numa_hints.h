// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "probes/known_memory.h"

/// Brings memory into the state that the kernel's own NUMA balancing leaves it in, and proves it
/// (docs/kernel.md §5.1). Writes no sysctl.
namespace smaps_audit::probes {

/// What has to be read of the kernel meanwhile.
struct Balancing {
  std::function<std::uint64_t()> pages_hinted;  ///< numa_pte_updates of vmstat so far
  std::function<bool()> on;                     ///< kernel.numa_balancing has bit 0
};

struct HintedMemory {
  Memory memory;  ///< all of it is hinted; one VMA
  bool proven = false;
  std::string why;
};

inline constexpr std::chrono::seconds kHintPatience{30};

/// Makes `bytes` (whole PMDs) of touched memory and awaits its hints.
HintedMemory make_hinted(const Balancing& balancing, std::size_t bytes, Pages pages);

/// Waits until balancing has hinted all of each `whole`, which was touched and is between guards,
/// and proves that by sentinels: the first and the last page take exactly one minor fault each. The
/// 2 MiB around either sentinel are given up for it and turned into guards, so that every page of
/// the result is hinted and no later scan can change it. No thread is left running. Gives up after
/// `patience`, and at once when balancing is turned off. One result a region, in their order.
std::vector<HintedMemory> await_hints(const Balancing& balancing, std::span<const Memory> wholes,
                                      std::chrono::milliseconds patience = kHintPatience);

/// Burns CPU until `enough` says so or `patience` is over: the scanner runs on the CPU time of the
/// thread that has touched the memory before (since 6.4 it passes over what others touched), and a
/// second thread makes it hint pages of the own node as well. True if `enough` said so.
bool burn_until(const std::function<bool()>& enough, std::chrono::milliseconds patience);

/// Exactly one fault on the first touch and none on the second: it was hinted (and is not any
/// more).
bool was_hinted(Memory page);

/// Reads one byte of each `step` bytes and counts the minor faults that this took.
std::int64_t faults_of_touching(Memory memory, std::size_t step);

/// Touches every 2 MiB of `memory` whose index is divisible by `stride`, at most `blocks` of them,
/// until none takes a fault any more: their hints are gone and stay gone. Returns the number
/// of blocks touched back; 0 if the scanner never let them be.
std::uint64_t touch_back(Memory memory, std::size_t stride, std::uint64_t blocks);

}  // namespace smaps_audit::probes
