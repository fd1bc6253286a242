// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "collect/kernel_view.h"
#include "collect/target.h"
#include "parsers/vmstat.h"

namespace smaps_audit {

/// One thread at one moment.
struct ThreadState {
  std::uint64_t tid = 0;
  std::uint64_t context_switches = 0;  ///< voluntary + involuntary
  bool off_queue =
      false;  ///< wchan names where it waits, and it is not a vfork wait; or it is dead
  bool operator==(const ThreadState&) const = default;
};

/// All threads of a target at one moment. wchan answers only for a task that is off the run queue,
/// under pi_lock; a thread that ran in between must have switched out again and been counted
/// (docs/method.md §5).
struct ThreadsState {
  std::vector<ThreadState> threads;  ///< ascending tid
  bool complete = false;             ///< false: the list or a thread's file could not be read
};

ThreadsState read_threads(KernelView& view, const Target& target, bool wchan_works);

/// May one of these threads, while it sleeps, be inside an execve? RssAnon then includes the
/// arguments of the program to come, which are in no mapping yet. What can't be read may be.
bool may_be_in_execve(KernelView& view, const Target& target, const ThreadsState& state);

/// How many threads are *not* proven asleep from `before` to `after`; a thread that is in only one
/// of them counts.
std::uint64_t awake_threads(const ThreadsState& before, const ThreadsState& after);

/// True if every thread slept from `before` to `after`.
inline bool proven_asleep(const ThreadsState& before, const ThreadsState& after) {
  return before.complete && after.complete && !before.threads.empty() &&
         awake_threads(before, after) == 0;
}

/// True if a wchan names the place where a parent waits for its vfork child, which runs in the same
/// mm.
bool is_vfork_wait(std::string_view wchan);

/// Memory that the host has lost to errors, in bytes.
std::optional<std::uint64_t> read_hardware_corrupted(KernelView& view);

/// The host's counters of pages that come in bulk; all zero where the kernel has none.
Vmstat read_vmstat(KernelView& view);

}  // namespace smaps_audit
