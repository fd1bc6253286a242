// SPDX-License-Identifier: Apache-2.0
#include "collect/guards.h"

#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <span>
#include <string_view>

#include "base/parse_int.h"
#include "parsers/meminfo.h"

namespace smaps_audit {
namespace {

// Where a parent waits for its vfork child, which runs on the same mm (kernel/fork.c).
constexpr std::array<std::string_view, 4> kVforkWaits = {"kernel_clone", "wait_for_vfork_done",
                                                         "_do_fork", "do_fork"};

// execve and execveat of our own programs, of i386 and arm, and of x32: whose numbers a task means,
// its syscall file does not say. What else has one of these numbers hardly ever sleeps.
constexpr std::array<std::uint64_t, 7> kExecveNumbers = {
    SYS_execve, SYS_execveat, 11, 358, 387, 0x40000000 | 520, 0x40000000 | 545};

bool waits_off_queue(std::string_view wchan) {
  return !wchan.empty() && wchan != "0" && !is_vfork_wait(wchan);
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
  if (!wchan_works) return thread;
  auto status_file = view.open_at(tasks, tid + "/status");
  if (!status_file) return std::nullopt;
  const auto text = read_whole(view, *status_file);
  if (!text) return std::nullopt;
  const auto status = parse_proc_status(*text);
  if (!status || !status->voluntary_switches || !status->involuntary_switches) return std::nullopt;
  // A leader that exited stays in the list, without a wchan, until its last thread has ended.
  thread.off_queue |= status->state == 'Z' || status->state == 'X';
  if (!thread.off_queue) return thread;
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

bool may_be_in_execve(KernelView& view, const Target& target, const ThreadsState& state) {
  return std::any_of(state.threads.begin(), state.threads.end(), [&](const ThreadState& thread) {
    const auto text =
        read_file(view, target.directory(), "task/" + std::to_string(thread.tid) + "/syscall");
    if (!text) return true;
    if (text->starts_with("-1 ")) return false;
    const auto number =
        parse_unsigned(std::string_view{*text}.substr(0, text->find_first_of(" \n")));
    return !number ||
           std::find(kExecveNumbers.begin(), kExecveNumbers.end(), *number) != kExecveNumbers.end();
  });
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

bool is_vfork_wait(std::string_view wchan) {
  return std::find(kVforkWaits.begin(), kVforkWaits.end(), wchan) != kVforkWaits.end();
}

std::optional<std::uint64_t> read_hardware_corrupted(KernelView& view) {
  const auto text = read_file(view, KernelRoot::proc, "meminfo");
  if (!text) return std::nullopt;
  const auto meminfo = parse_meminfo(*text);
  return meminfo ? meminfo->hardware_corrupted : std::nullopt;
}

Vmstat read_vmstat(KernelView& view) {
  const auto text = read_file(view, KernelRoot::proc, "vmstat");
  if (!text) return {};
  return parse_vmstat(*text).value_or(Vmstat{});
}

}  // namespace smaps_audit
