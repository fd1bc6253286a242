// SPDX-License-Identifier: Apache-2.0
#include "cli/freeze.h"

#include <sys/ptrace.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <limits>
#include <string>
#include <thread>

#include "base/parse_int.h"
#include "collect/target.h"
#include "parsers/proc_status.h"

namespace smaps_audit {
namespace {

using Clock = std::chrono::steady_clock;

std::string task_path(int pid) { return std::to_string(pid) + "/task"; }

Result<std::vector<pid_t>> list_threads(KernelView& view, int pid) {
  const Result<KernelFile> directory = view.open_directory(KernelRoot::proc, task_path(pid));
  if (!directory) return directory.error();
  const Result<std::vector<std::string>> names = view.list(*directory);
  if (!names) return names.error();
  std::vector<pid_t> threads;
  for (const std::string& name : *names) {
    const std::optional<std::uint64_t> thread = parse_unsigned(name);
    if (thread && *thread <= std::numeric_limits<pid_t>::max()) {
      threads.push_back(static_cast<pid_t>(*thread));
    }
  }
  return threads;
}

// A thread that has exited cannot be seized (EPERM), and does not have to be.
bool has_exited(KernelView& view, int pid, pid_t thread) {
  constexpr std::size_t kMostBytes = 65536;
  const Result<KernelFile> file =
      view.open(KernelRoot::proc, task_path(pid) + "/" + std::to_string(thread) + "/status");
  if (!file) return file.error().code == ErrorCode::gone;
  const Result<std::string> text = read_whole(view, *file, kMostBytes);
  if (!text) return text.error().code == ErrorCode::gone;
  const Result<ProcStatus> status = parse_proc_status(*text);
  return status.ok() && (status->state == 'Z' || status->state == 'X');
}

Error refused(int pid, int errno_value) {
  return Error{.code = ErrorCode::denied,
               .what = "process " + std::to_string(pid) +
                       " cannot be frozen: it takes its owner or CAP_SYS_PTRACE, and no debugger "
                       "may be attached",
               .errno_value = errno_value};
}

}  // namespace

Result<Freeze::Outcome> Freeze::wait_for_stop(pid_t thread, Clock::time_point until) {
  constexpr auto kPause = std::chrono::microseconds(200);
  for (;;) {
    int status = 0;
    const pid_t waited = ::waitpid(thread, &status, __WALL | WNOHANG);
    if (waited == thread) {
      if (!WIFSTOPPED(status)) return Outcome::gone;
      // An event stop (group stop included) needs no signal; a signal that was on its way does.
      const bool event = (status >> 16) != 0;
      threads_[thread] = event ? 0 : WSTOPSIG(status);
      return Outcome::held;
    }
    if (waited < 0 && errno != EINTR) return Outcome::gone;
    if (Clock::now() >= until) {
      return Error{.code = ErrorCode::deadline,
                   .what = "thread " + std::to_string(thread) +
                           " does not stop: it waits uninterruptibly in the kernel"};
    }
    std::this_thread::sleep_for(kPause);
  }
}

Result<Freeze::Outcome> Freeze::seize(KernelView& view, int pid, pid_t thread,
                                      Clock::time_point until) {
  if (::ptrace(PTRACE_SEIZE, thread, nullptr, nullptr) != 0) {
    const int seize_error = errno;
    if (seize_error == ESRCH || has_exited(view, pid, thread)) return Outcome::gone;
    return refused(pid, seize_error);
  }
  threads_[thread] = 0;
  if (::ptrace(PTRACE_INTERRUPT, thread, nullptr, nullptr) != 0 && errno != ESRCH) {
    return error_from_errno(errno, "thread " + std::to_string(thread) + " cannot be stopped");
  }
  Result<Outcome> outcome = wait_for_stop(thread, until);
  if (outcome.ok() && *outcome == Outcome::gone) threads_.erase(thread);
  return outcome;
}

Result<Freeze> Freeze::hold(KernelView& view, int pid, std::chrono::nanoseconds deadline) {
  Freeze freeze;
  const Clock::time_point until = Clock::now() + deadline;
  // A thread that was not yet stopped can have made another one: look until a look shows nothing
  // new.
  for (bool found_new = true; found_new;) {
    found_new = false;
    const Result<std::vector<pid_t>> threads = list_threads(view, pid);
    if (!threads) return threads.error();
    for (const pid_t thread : *threads) {
      if (freeze.threads_.contains(thread)) continue;
      const Result<Outcome> outcome = freeze.seize(view, pid, thread, until);
      if (!outcome) return outcome.error();
      found_new = found_new || *outcome == Outcome::held;
    }
    if (Clock::now() >= until && found_new) {
      return Error{
          .code = ErrorCode::deadline,
          .what = "process " + std::to_string(pid) + " makes threads faster than they stop"};
    }
  }
  if (freeze.threads_.empty()) {
    return Error{.code = ErrorCode::gone,
                 .what = "process " + std::to_string(pid) + " has no thread that could be frozen"};
  }
  return freeze;
}

Freeze::~Freeze() {
  constexpr auto kPatience = std::chrono::milliseconds(100);
  const Clock::time_point until = Clock::now() + kPatience;
  std::vector<pid_t> held;
  held.reserve(threads_.size());
  for (const auto& [thread, signal] : threads_) held.push_back(thread);
  for (const pid_t thread : held) {
    // PTRACE_DETACH takes the signal in a pointer's place.
    const auto detach = [&] {
      const auto data = static_cast<std::uintptr_t>(threads_[thread]);
      // NOLINTNEXTLINE(performance-no-int-to-ptr): that is ptrace's interface
      return ::ptrace(PTRACE_DETACH, thread, nullptr, reinterpret_cast<void*>(data)) == 0;
    };
    if (detach()) continue;
    // It died, or it had not stopped when the deadline came. What never stops is freed by our exit.
    const Result<Outcome> stopped = wait_for_stop(thread, until);
    if (stopped.ok() && *stopped == Outcome::held) detach();
  }
}

}  // namespace smaps_audit
