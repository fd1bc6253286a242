// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"

namespace smaps_audit {

/// What the audit needs of /proc/PID/status and /proc/PID/task/TID/status (fs/proc/array.c). All
/// sizes in bytes. A kernel thread or a zombie has no Vm* lines: nullopt, never 0.
struct ProcStatus {
  std::string_view name = {};  ///< escaped by the kernel (\n, \\); points into the text
  std::optional<char> state;
  std::optional<std::uint64_t> thread_group_id;
  std::optional<std::uint64_t> pid;
  std::optional<std::uint64_t> real_uid;
  std::optional<std::uint64_t> threads;
  std::optional<std::uint64_t> vm_peak;
  std::optional<std::uint64_t> vm_size;
  std::optional<std::uint64_t> vm_hwm;
  std::optional<std::uint64_t> vm_rss;
  std::optional<std::uint64_t> rss_anon;
  std::optional<std::uint64_t> rss_file;
  std::optional<std::uint64_t> rss_shmem;
  std::optional<std::uint64_t> vm_pte;  ///< size of the page tables: what a walk costs
  std::optional<std::uint64_t> vm_swap;
  std::optional<std::uint64_t> hugetlb_pages;
  std::optional<std::uint64_t> voluntary_switches;
  std::optional<std::uint64_t> involuntary_switches;
  std::uint32_t unknown_fields =
      0;  ///< `Key:` lines that are not in the list of keys known to exist
};

/// Errors with the line: `malformed` (a known number that is none, a kB that is missing, a key
/// twice), `truncated` (no '\n' at the end, or no Name).
Result<ProcStatus> parse_proc_status(std::string_view text);

/// /proc/PID/statm: seven numbers of base pages. All 0 for a kernel thread.
struct ProcStatm {
  std::uint64_t size_pages = 0;
  std::uint64_t resident_pages = 0;
  std::uint64_t shared_pages = 0;  ///< file + shmem
};
/// Errors: `malformed`, `truncated` (fewer numbers, no '\n' at the end).
Result<ProcStatm> parse_proc_statm(std::string_view text);

}  // namespace smaps_audit
