// SPDX-License-Identifier: Apache-2.0
#include "daemon/screen.h"

#include <algorithm>
#include <utility>

#include "base/parse_int.h"
#include "collect/process_facts.h"
#include "collect/target.h"
#include "parsers/proc_stat.h"
#include "parsers/proc_status.h"
#include "parsers/smaps.h"

namespace smaps_audit::service {
namespace {

/// Where it belongs hardly ever changes once it runs.
constexpr unsigned kListsWithoutCgroup = 3;

std::string reason_of(const Error& error) {
  switch (error.code) {
    case ErrorCode::gone: return "gone";
    case ErrorCode::denied: return "permission";
    case ErrorCode::malformed:
    case ErrorCode::truncated: return "malformed";
    default: return "read_error";
  }
}

Result<std::uint64_t> start_time(KernelView& view, const KernelFile& directory) {
  const auto text = read_file(view, directory, "stat");
  if (!text) return text.error();
  const auto stat = parse_proc_stat(*text);
  if (!stat) return stat.error();
  return stat->start_time_ticks;
}

bool are_apart(std::uint64_t rss, std::uint64_t low, std::uint64_t high) {
  return rss + kSuspiciousGapBytes < low || rss > high + kSuspiciousGapBytes;
}

std::optional<FileIdentity> identity_of(KernelView& view, const KernelFile& directory) {
  const auto identity = view.identify(directory, ".");
  return identity ? std::optional{*identity} : std::nullopt;
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
  std::sort(pids.begin(), pids.end());
  return pids;
}

Screener::Known* Screener::find(int pid, const std::optional<FileIdentity>& directory) {
  const auto known = known_.find(pid);
  const bool same = known != known_.end() && directory && known->second.directory == *directory;
  return same ? &known->second : nullptr;
}

Result<Screener::Status> Screener::read_status(const KernelFile& directory) const {
  const auto text = read_file(view_, directory, "status");
  if (!text) return text.error();
  const auto status = parse_proc_status(*text);
  if (!status) return status.error();
  Status read{.uid = {}, .rss_bytes = status->vm_rss, .page_table_bytes = status->vm_pte};
  if (status->real_uid) read.uid = static_cast<std::uint32_t>(*status->real_uid);
  return read;
}

std::optional<ProcessListing> Screener::list(int pid) {
  const auto directory = view_.open_directory(KernelRoot::proc, std::to_string(pid));
  if (!directory) return std::nullopt;
  const auto identity = identity_of(view_, *directory);
  Known* known = find(pid, identity);
  ProcessListing process{.pid = pid};
  if (known != nullptr && known->kernel_thread) {
    process.start_time_ticks = known->start_time_ticks;
    process.kernel_thread = true;
    return process;
  }
  const auto stat_text = read_file(view_, *directory, "stat");
  if (!stat_text) return std::nullopt;
  const auto stat = parse_proc_stat(*stat_text);
  // A leader that has exited while other threads live on still has an mm.
  if (!stat || (stat->has_exited() && stat->num_threads <= 1)) return std::nullopt;
  process.start_time_ticks = stat->start_time_ticks;
  process.comm = std::string{stat->comm};
  process.kernel_thread = stat->is_kernel_thread();
  if (known == nullptr && identity) {
    known = &(known_[pid] = {.directory = *identity,
                             .start_time_ticks = stat->start_time_ticks,
                             .kernel_thread = process.kernel_thread});
  }
  if (process.kernel_thread) return process;
  process.executable = read_executable(view_, *directory).text;
  Known unknown;
  Known& from = known != nullptr ? *known : unknown;
  find_place(*directory, from);
  process.unit = from.unit;
  process.cgroup = from.cgroup;
  if (!from.status) {
    if (const auto read = read_status(*directory)) from.status = *read;
  }
  const Status status = std::exchange(from.status, std::nullopt).value_or(Status{});
  process.uid = status.uid;
  process.rss_bytes = status.rss_bytes;
  process.page_table_bytes = status.page_table_bytes;
  return process;
}

void Screener::find_place(const KernelFile& directory, Known& known) const {
  if (known.lists_to_cgroup != 0) {
    --known.lists_to_cgroup;
    return;
  }
  CgroupFacts facts = read_cgroup(view_, directory);
  known.unit = std::move(facts.unit.text);
  known.cgroup = std::move(facts.path.text);
  known.lists_to_cgroup = kListsWithoutCgroup;
}

Screening Screener::screen(int pid, std::optional<std::uint64_t> most_page_table_bytes) {
  Screening screening{.pid = pid};
  const auto directory = view_.open_directory(KernelRoot::proc, std::to_string(pid));
  const Result<Ok> done = directory ? read_witnesses(*directory, most_page_table_bytes, screening)
                                    : Result<Ok>{directory.error()};
  if (!done) screening.problem = reason_of(done.error());
  return screening;
}

Result<Ok> Screener::read_witnesses(const KernelFile& directory,
                                    std::optional<std::uint64_t> most_page_table_bytes,
                                    Screening& screening) {
  Known* const known = find(screening.pid, identity_of(view_, directory));
  if (known != nullptr) {
    screening.start_time_ticks = known->start_time_ticks;
  } else {
    const auto start = start_time(view_, directory);
    if (!start) return start.error();
    screening.start_time_ticks = *start;
  }
  const auto before = read_status(directory);
  if (!before) return before.error();
  if (known != nullptr) known->status = *before;
  screening.status_rss_bytes = before->rss_bytes;
  if (most_page_table_bytes && before->page_table_bytes.value_or(0) > *most_page_table_bytes) {
    screening.problem = kTooLarge;
    return Ok{};
  }
  const Nanoseconds begun = view_.monotonic_now();
  const auto text = read_file(view_, directory, "smaps_rollup");
  screening.read_time = view_.monotonic_now() - begun;
  if (!text) return text.error();
  const auto rollup = parse_smaps_rollup(*text);
  if (!rollup) return rollup.error();
  screening.rollup_rss_bytes = rollup->values.bytes(SmapsField::rss);
  screening.rollup_pss_bytes = rollup->values.bytes(SmapsField::pss);
  if (!before->rss_bytes) return Ok{};
  const std::uint64_t rss = *screening.rollup_rss_bytes;
  if (!are_apart(rss, *before->rss_bytes, *before->rss_bytes)) return Ok{};
  const auto after = read_status(directory);
  if (!after) return after.error();
  screening.status_rss_bytes = after->rss_bytes;
  if (!after->rss_bytes) return Ok{};
  const auto [low, high] = std::minmax(*before->rss_bytes, *after->rss_bytes);
  screening.suspicious = are_apart(rss, low, high);
  return Ok{};
}

void Screener::forget_all_but(const std::vector<int>& pids) {
  std::erase_if(known_, [&](const auto& each) {
    return !std::binary_search(pids.begin(), pids.end(), each.first);
  });
}

}  // namespace smaps_audit::service
