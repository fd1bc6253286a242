// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tests/workloads/memory.h"

namespace smaps_audit::workloads {

/// One declared range. `expected_deficit_bytes` is what a kernel with K01 leaves out of Rss there;
/// nullopt where it changes all the time.
struct Region {
  Memory memory;
  const char* permissions = "rw-p";
  std::uint64_t touched_bytes = 0;
  std::optional<std::uint64_t> expected_deficit_bytes = 0;
  std::uint64_t vmas = 1;                       ///< how many VMAs the range consists of
  std::optional<std::uint64_t> pss_bytes = {};  ///< its share of what was touched; all if absent
  const char* huge_field = "AnonHugePages";     ///< of smaps, for what PMDs map there
  std::uint64_t device_copy_bytes = 0;          ///< copies in a device's mapping (K07)
  std::uint64_t poisoned_bytes = 0;             ///< gone, but still counted by smaps (K08)
};

/// What a workload says of itself, from what it made and touched, never from what it read in smaps.
struct Truth {
  std::string mode;
  std::vector<Region> regions = {};
  bool kernel_state_proven = true;
  std::string why = {};  ///< how it was proven, or why it could not be
};

/// One JSON line on stdout:
///   {"ready":true,"pid":…,"mode":"…","regions":[{"start":"7f…","end":"7f…","perms":"rw-p",
///    "touched_bytes":…,"pss_bytes":…,"expected_deficit_bytes":…|null,"vmas":…,"huge_field":"…",
///    "device_copy_bytes":…,"poisoned_bytes":…}],"touched_bytes":…,"expected_deficit_bytes":…|null,"kernel_state_proven":true|false,"why":"…"}
/// `ready` is `kernel_state_proven`.
void declare(const Truth& truth);

/// Blocks in read(2) on stdin, without a timer, until a line comes or it is closed.
void hold_until_told();

/// Declares, holds if the state was reached, and gives the exit status: 0, or kExitCannotRun.
int declare_and_hold(const Truth& truth);

}  // namespace smaps_audit::workloads
