// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <chrono>
#include <future>
#include <thread>

#include "base/result.h"
#include "collect/kernel_view.h"

namespace smaps_audit {

/// Holds every thread of a process in a ptrace stop (PTRACE_SEIZE + PTRACE_INTERRUPT) and lets them
/// run on when destroyed. If we die, killed even, the kernel detaches and they run on. A process
/// that was stopped already (SIGSTOP, job control) stays stopped afterwards; signals that arrive
/// meanwhile are delivered later. A thread of our own does the tracing: its end detaches even from
/// those that never stopped, which ptrace itself can't.
class Freeze {
 public:
  /// Returns when every thread has stopped and a look at the thread list showed no new one.
  /// Errors, with nothing left frozen: `denied` (no permission, or somebody else traces it),
  /// `gone`, `deadline` (a thread does not stop: it sits in an uninterruptible wait), `unsupported`
  /// (a thread waits for its vfork child, which nobody would hold). `view` only lists the threads;
  /// give the live one, not one that records.
  static Result<Freeze> hold(KernelView& view, int pid,
                             std::chrono::nanoseconds deadline = std::chrono::seconds(5));

  Freeze(Freeze&&) noexcept = default;
  Freeze& operator=(Freeze&&) = delete;
  Freeze(const Freeze&) = delete;
  Freeze& operator=(const Freeze&) = delete;
  ~Freeze();

  [[nodiscard]] std::size_t threads() const { return threads_; }

 private:
  Freeze() = default;

  std::thread tracer_;
  std::promise<void> release_;
  std::size_t threads_ = 0;
};

}  // namespace smaps_audit
