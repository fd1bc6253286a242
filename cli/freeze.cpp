// SPDX-License-Identifier: Apache-2.0
#include "cli/freeze.h"

#include <sys/ptrace.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <limits>
#include <map>
#include <string>
#include <system_error>
#include <vector>

#include "base/parse_int.h"
#include "collect/guards.h"
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
  const Result<std::string> text =
      read_file(view, KernelRoot::proc, task_path(pid) + "/" + std::to_string(thread) + "/status",
                kMostBytes);
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

// Seized or not, it stops when its child execs or ends, and not before; the child runs on
// meanwhile.
bool waits_for_vfork(KernelView& view, int pid, pid_t thread) {
  const Result<std::string> wchan =
      read_file(view, KernelRoot::proc, task_path(pid) + "/" + std::to_string(thread) + "/wchan");
  return wchan.ok() && is_vfork_wait(*wchan);
}

Error vfork_error(pid_t thread) {
  return Error{.code = ErrorCode::unsupported,
               .what = "thread " + std::to_string(thread) +
                       " waits for its vfork child, which runs on in the same memory"};
}

/// Of the thread that calls it, as ptrace demands; that thread's end frees whatever is left.
class Tracer {
 public:
  Tracer() = default;
  Tracer(const Tracer&) = delete;
  Tracer& operator=(const Tracer&) = delete;
  ~Tracer() { let_go(); }

  /// How many threads are held.
  Result<std::size_t> take(KernelView& view, int pid, Clock::time_point until) {
    // A thread that was not yet stopped can have made another one: look until a look shows nothing
    // new.
    for (bool found_new = true; found_new;) {
      found_new = false;
      const Result<std::vector<pid_t>> threads = list_threads(view, pid);
      if (!threads) return threads.error();
      for (const pid_t thread : *threads) {
        if (held_.contains(thread)) continue;
        const Result<Outcome> outcome = seize(view, pid, thread, until);
        if (!outcome) return outcome.error();
        found_new = found_new || *outcome == Outcome::held;
      }
      if (Clock::now() >= until && found_new) {
        return Error{
            .code = ErrorCode::deadline,
            .what = "process " + std::to_string(pid) + " makes threads faster than they stop"};
      }
    }
    if (held_.empty()) {
      return Error{
          .code = ErrorCode::gone,
          .what = "process " + std::to_string(pid) + " has no thread that could be frozen"};
    }
    return held_.size();
  }

 private:
  enum class Outcome : std::uint8_t { held, gone };

  Result<Outcome> seize(KernelView& view, int pid, pid_t thread, Clock::time_point until) {
    if (waits_for_vfork(view, pid, thread)) return vfork_error(thread);
    if (::ptrace(PTRACE_SEIZE, thread, nullptr, nullptr) != 0) {
      const int seize_error = errno;
      if (seize_error == ESRCH || has_exited(view, pid, thread)) return Outcome::gone;
      return refused(pid, seize_error);
    }
    held_[thread] = 0;
    if (::ptrace(PTRACE_INTERRUPT, thread, nullptr, nullptr) != 0 && errno != ESRCH) {
      return error_from_errno(errno, "thread " + std::to_string(thread) + " cannot be stopped");
    }
    const auto sits_in_vfork = [&] { return waits_for_vfork(view, pid, thread); };
    Result<Outcome> outcome = wait_for_stop(thread, until, sits_in_vfork);
    if (outcome.ok() && *outcome == Outcome::gone) held_.erase(thread);
    return outcome;
  }

  template <class Hopeless>
  Result<Outcome> wait_for_stop(pid_t thread, Clock::time_point until, const Hopeless& hopeless) {
    constexpr auto kPause = std::chrono::microseconds(200);
    constexpr auto kMostStopWithin = std::chrono::milliseconds(10);
    const Clock::time_point late = Clock::now() + kMostStopWithin;
    for (;;) {
      int status = 0;
      const pid_t waited = ::waitpid(thread, &status, __WALL | WNOHANG);
      if (waited == thread) {
        if (!WIFSTOPPED(status)) return Outcome::gone;
        // An event stop (group stop included) needs no signal; a signal that was on its way does.
        const bool event = (status >> 16) != 0;
        held_[thread] = event ? 0 : WSTOPSIG(status);
        return Outcome::held;
      }
      if (waited < 0 && errno != EINTR) return Outcome::gone;
      const Clock::time_point now = Clock::now();
      if (now >= until) {
        return Error{.code = ErrorCode::deadline,
                     .what = "thread " + std::to_string(thread) +
                             " does not stop: it waits uninterruptibly in the kernel"};
      }
      if (now >= late && hopeless()) return vfork_error(thread);
      std::this_thread::sleep_for(kPause);
    }
  }

  void let_go() {
    for (const auto& [thread, signal] : held_) {
      // PTRACE_DETACH takes the signal in a pointer's place. It fails for who died, or never
      // stopped; the end of our thread frees the latter.
      const auto data = static_cast<std::uintptr_t>(signal);
      // NOLINTNEXTLINE(performance-no-int-to-ptr): that is ptrace's interface
      ::ptrace(PTRACE_DETACH, thread, nullptr, reinterpret_cast<void*>(data));
    }
    held_.clear();
  }

  std::map<pid_t, int> held_;  ///< thread → signal to hand over when it runs on
};

}  // namespace

Result<Freeze> Freeze::hold(KernelView& view, int pid, std::chrono::nanoseconds deadline) {
  const Clock::time_point until = Clock::now() + deadline;
  Freeze freeze;
  std::promise<Result<std::size_t>> taken;
  auto trace = [&view, &taken, pid, until, released = freeze.release_.get_future()] {
    Tracer tracer;
    const Result<std::size_t> threads = tracer.take(view, pid, until);
    taken.set_value(threads);  // from here on only `released` is ours
    if (threads) released.wait();
  };
  try {
    freeze.tracer_ = std::thread{std::move(trace)};
  } catch (const std::system_error& failure) {
    return error_from_errno(failure.code().value(), "cannot start a thread that traces");
  }
  const Result<std::size_t> threads = taken.get_future().get();
  if (!threads) return threads.error();
  freeze.threads_ = *threads;
  return freeze;
}

Freeze::~Freeze() {
  if (!tracer_.joinable()) return;
  release_.set_value();
  tracer_.join();
}

}  // namespace smaps_audit
