// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <chrono>
#include <map>

#include "base/result.h"
#include "collect/kernel_view.h"

namespace smaps_audit {

/// Holds every thread of a process in a ptrace stop (PTRACE_SEIZE + PTRACE_INTERRUPT) and lets them
/// run on when destroyed. If we die, killed even, the kernel detaches and they run on. A process
/// that was stopped already (SIGSTOP, job control) stays stopped afterwards; signals that arrive
/// meanwhile are delivered later. To be used by one thread, which must outlive it: ptrace belongs
/// to threads.
class Freeze {
 public:
  /// Returns when every thread has stopped and a look at the thread list showed no new one.
  /// Errors, with nothing left frozen: `denied` (no permission, or somebody else traces it),
  /// `gone`, `deadline` (a thread does not stop: it sits in an uninterruptible wait). `view` only
  /// lists the threads; give the live one, not one that records.
  static Result<Freeze> hold(KernelView& view, int pid,
                             std::chrono::nanoseconds deadline = std::chrono::seconds(5));

  Freeze(Freeze&& other) noexcept : threads_(std::exchange(other.threads_, {})) {}
  Freeze& operator=(Freeze&&) = delete;
  Freeze(const Freeze&) = delete;
  Freeze& operator=(const Freeze&) = delete;
  ~Freeze();

  [[nodiscard]] std::size_t threads() const { return threads_.size(); }

 private:
  enum class Outcome : std::uint8_t { held, gone };

  Freeze() = default;
  Result<Outcome> seize(KernelView& view, int pid, pid_t thread,
                        std::chrono::steady_clock::time_point until);
  Result<Outcome> wait_for_stop(pid_t thread, std::chrono::steady_clock::time_point until);

  std::map<pid_t, int> threads_;  ///< thread → signal to hand over when it runs on
};

}  // namespace smaps_audit
