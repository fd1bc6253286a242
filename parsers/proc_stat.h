// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace smaps_audit {

/// What the audit needs of /proc/PID/stat (fs/proc/array.c: do_task_stat). comm lies between the
/// first '(' and the last ')': it may hold blanks, parentheses, newlines and any other byte.
struct ProcStat {
  std::uint64_t pid = 0;               // 1
  std::string_view comm = {};          // 2, points into the text
  char state = '?';                    // 3
  std::int64_t parent_pid = 0;         // 4
  std::uint64_t flags = 0;             // 9, PF_KTHREAD = 0x00200000, PF_EXITING = 0x4
  std::uint64_t minor_faults = 0;      // 10
  std::uint64_t major_faults = 0;      // 12
  std::uint64_t num_threads = 0;       // 20
  std::uint64_t start_time_ticks = 0;  // 22
  std::uint64_t start_code = 0;        // 26, 1 without PTRACE_READ, 0 without an mm
  std::uint64_t start_stack = 0;       // 28, 0 without PTRACE_READ or an mm

  [[nodiscard]] std::uint64_t faults() const { return minor_faults + major_faults; }
  [[nodiscard]] bool is_kernel_thread() const { return (flags & 0x00200000u) != 0; }
  /// Past the release of its mm. Said of a leader whose other threads (num_threads > 1) live on,
  /// too.
  [[nodiscard]] bool has_exited() const { return state == 'Z' || state == 'X'; }
  /// About to give its mm back, or beyond.
  [[nodiscard]] bool is_exiting() const { return has_exited() || (flags & 0x4u) != 0; }
};

/// Errors: `malformed` (a field that must be a number is not), `truncated` (fewer than 28 fields,
/// or no '\n' at the end: the last number may be cut).
Result<ProcStat> parse_proc_stat(std::string_view text);

}  // namespace smaps_audit
