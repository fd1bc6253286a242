// SPDX-License-Identifier: Apache-2.0
#include "daemon/screen.h"

#include <algorithm>

#include "base/parse_int.h"
#include "collect/process_facts.h"
#include "collect/target.h"
#include "parsers/proc_stat.h"
#include "parsers/proc_status.h"
#include "parsers/smaps.h"

namespace smaps_audit::service {
namespace {

std::string path_of(int pid, std::string_view file) {
  return std::to_string(pid) + "/" + std::string{file};
}

std::string reason_of(const Error& error) {
  switch (error.code) {
    case ErrorCode::gone: return "gone";
    case ErrorCode::denied: return "permission";
    case ErrorCode::malformed:
    case ErrorCode::truncated: return "malformed";
    default: return "read_error";
  }
}

Result<std::optional<std::uint64_t>> status_rss(KernelView& view, int pid) {
  const auto text = read_file(view, KernelRoot::proc, path_of(pid, "status"));
  if (!text) return text.error();
  const auto status = parse_proc_status(*text);
  if (!status) return status.error();
  return status->vm_rss;
}

Result<std::uint64_t> start_time(KernelView& view, int pid) {
  const auto text = read_file(view, KernelRoot::proc, path_of(pid, "stat"));
  if (!text) return text.error();
  const auto stat = parse_proc_stat(*text);
  if (!stat) return stat.error();
  return stat->start_time_ticks;
}

Result<Ok> read_witnesses(KernelView& view, Screening& screening) {
  const auto start = start_time(view, screening.pid);
  if (!start) return start.error();
  screening.start_time_ticks = *start;
  const auto before = status_rss(view, screening.pid);
  if (!before) return before.error();
  const Nanoseconds begun = view.monotonic_now();
  const auto text = read_file(view, KernelRoot::proc, path_of(screening.pid, "smaps_rollup"));
  screening.read_time = view.monotonic_now() - begun;
  if (!text) return text.error();
  const auto rollup = parse_smaps_rollup(*text);
  if (!rollup) return rollup.error();
  const auto after = status_rss(view, screening.pid);
  if (!after) return after.error();
  const auto again = start_time(view, screening.pid);
  if (!again || *again != *start) return Error{.code = ErrorCode::gone, .what = "it has ended"};
  screening.rollup_rss_bytes = rollup->values.bytes(SmapsField::rss);
  screening.rollup_pss_bytes = rollup->values.bytes(SmapsField::pss);
  screening.status_rss_bytes = *after;
  if (!*before || !*after) return Ok{};
  const auto [low, high] = std::minmax(**before, **after);
  const std::uint64_t rss = *screening.rollup_rss_bytes;
  screening.suspicious = rss + kSuspiciousGapBytes < low || rss > high + kSuspiciousGapBytes;
  return Ok{};
}

}  // namespace

Result<std::vector<int>> list_pids(KernelView& view) {
  auto directory = view.open_directory(KernelRoot::proc, "");
  if (!directory) return directory.error();
  const auto names = view.list(*directory);
  if (!names) return names.error();
  std::vector<int> pids;
  for (const std::string& name : *names) {
    const auto pid = parse_unsigned(name);
    if (pid && *pid != 0 && *pid <= INT32_MAX) pids.push_back(static_cast<int>(*pid));
  }
  return pids;
}

std::optional<ProcessListing> list_process(KernelView& view, int pid) {
  const auto directory = view.open_directory(KernelRoot::proc, std::to_string(pid));
  if (!directory) return std::nullopt;
  const auto stat_text = read_file(view, *directory, "stat");
  if (!stat_text) return std::nullopt;
  const auto stat = parse_proc_stat(*stat_text);
  // A leader that has exited while other threads live on still has an mm.
  if (!stat || (stat->has_exited() && stat->num_threads <= 1)) return std::nullopt;
  ProcessListing process{.pid = pid,
                         .start_time_ticks = stat->start_time_ticks,
                         .comm = std::string{stat->comm},
                         .kernel_thread = stat->is_kernel_thread()};
  if (process.kernel_thread) return process;
  CgroupFacts cgroup = read_cgroup(view, *directory);
  process.executable = read_executable(view, *directory).text;
  process.unit = std::move(cgroup.unit.text);
  process.cgroup = std::move(cgroup.path.text);
  const auto status_text = read_file(view, *directory, "status");
  if (!status_text) return process;
  const auto status = parse_proc_status(*status_text);
  if (!status) return process;
  process.rss_bytes = status->vm_rss;
  process.page_table_bytes = status->vm_pte;
  if (status->real_uid) process.uid = static_cast<std::uint32_t>(*status->real_uid);
  return process;
}

Screening screen_process(KernelView& view, int pid) {
  Screening screening{.pid = pid};
  if (const auto done = read_witnesses(view, screening); !done) {
    screening.problem = reason_of(done.error());
  }
  return screening;
}

}  // namespace smaps_audit::service
