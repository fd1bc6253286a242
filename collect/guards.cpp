// SPDX-License-Identifier: Apache-2.0
#include "collect/guards.h"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>

#include "base/parse_int.h"

namespace smaps_audit {
namespace {

// Where a parent waits for its vfork child, which runs on the same mm (kernel/fork.c).
constexpr std::array<std::string_view, 4> kVforkWaits = {"kernel_clone", "wait_for_vfork_done",
                                                         "_do_fork", "do_fork"};

bool waits_off_queue(std::string_view wchan) {
  if (wchan.empty() || wchan == "0") return false;
  return std::find(kVforkWaits.begin(), kVforkWaits.end(), wchan) == kVforkWaits.end();
}

/// nullopt: the thread is gone or unreadable.
std::optional<ThreadState> read_thread(KernelView& view, const KernelFile& tasks,
                                       const std::string& tid, bool wchan_works) {
  const auto number = parse_unsigned(tid);
  if (!number) return std::nullopt;
  ThreadState thread{.tid = *number};
  if (wchan_works) {
    auto wchan_file = view.open_at(tasks, tid + "/wchan");
    if (!wchan_file) return std::nullopt;
    const auto wchan = read_whole(view, *wchan_file);
    if (!wchan) return std::nullopt;
    thread.off_queue = waits_off_queue(*wchan);
  }
  if (!thread.off_queue) return thread;
  auto status_file = view.open_at(tasks, tid + "/status");
  if (!status_file) return std::nullopt;
  const auto text = read_whole(view, *status_file);
  if (!text) return std::nullopt;
  const auto status = parse_proc_status(*text);
  if (!status || !status->voluntary_switches || !status->involuntary_switches) return std::nullopt;
  thread.context_switches = *status->voluntary_switches + *status->involuntary_switches;
  return thread;
}

}  // namespace

ThreadsState read_threads(KernelView& view, const Target& target, bool wchan_works) {
  ThreadsState state;
  auto tasks = view.open_directory_at(target.directory(), "task");
  if (!tasks) return state;
  const auto tids = view.list(*tasks);
  if (!tids) return state;
  state.complete = true;
  for (const std::string& tid : *tids) {
    if (const auto thread = read_thread(view, *tasks, tid, wchan_works)) {
      state.threads.push_back(*thread);
    } else {
      state.complete = false;
    }
  }
  std::sort(state.threads.begin(), state.threads.end(),
            [](const ThreadState& a, const ThreadState& b) { return a.tid < b.tid; });
  return state;
}

std::uint64_t awake_threads(const ThreadsState& before, const ThreadsState& after) {
  const auto find = [](const ThreadsState& state, std::uint64_t tid) {
    const auto at = std::lower_bound(
        state.threads.begin(), state.threads.end(), tid,
        [](const ThreadState& thread, std::uint64_t wanted) { return thread.tid < wanted; });
    return at != state.threads.end() && at->tid == tid ? at : state.threads.end();
  };
  std::uint64_t awake = 0;
  for (const ThreadState& thread : after.threads) {
    const auto earlier = find(before, thread.tid);
    const bool slept = earlier != before.threads.end() && thread.off_queue && *earlier == thread;
    if (!slept) ++awake;
  }
  for (const ThreadState& thread : before.threads) {
    if (find(after, thread.tid) == after.threads.end()) ++awake;
  }
  // What could not be read may be one thread or several; one at least.
  if (!before.complete || !after.complete) ++awake;
  return awake;
}

/// Candidates are processes with the same code and stack start: a fork keeps them too, so kcmp
/// decides.
bool mm_may_be_shared(KernelView& view, const Target& target) {
  auto proc = view.open_directory(KernelRoot::proc, ".");
  if (!proc) return true;
  const auto entries = view.list(*proc);
  if (!entries) return true;
  for (const std::string& entry : *entries) {
    const auto pid = parse_unsigned(entry);
    if (!pid || static_cast<int>(*pid) == target.pid()) continue;
    auto stat_file = view.open_at(*proc, entry + "/stat");
    if (!stat_file) continue;
    const auto text = read_whole(view, *stat_file);
    if (!text) continue;
    const auto stat = parse_proc_stat(*text);
    if (!stat || stat->is_kernel_thread() || stat->state == 'Z') continue;
    if (stat->start_code != target.start_code() || stat->start_stack != target.start_stack())
      continue;
    const auto same = view.same_mm(target.pid(), static_cast<int>(*pid));
    if (!same && same.error().code == ErrorCode::gone) continue;
    if (!same || *same) return true;
  }
  return false;
}

Vmstat read_vmstat(KernelView& view) {
  auto file = view.open(KernelRoot::proc, "vmstat");
  if (!file) return {};
  const auto text = read_whole(view, *file);
  if (!text) return {};
  return parse_vmstat(*text).value_or(Vmstat{});
}

}  // namespace smaps_audit
