// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

namespace smaps_audit::service {

/// Confines the worker for good (seccomp, no_new_privs): it may read files, ask the two ioctls of
/// /proc, compare mms, tell the time, and write to descriptors that it was given. No socket, no
/// ptrace or process_vm_*, no pidfd, no exec, no fork, no open for writing, no memory that can be
/// executed. Whatever else it tries, the kernel sends SIGSYS: one line {"refused":"NAME"} goes to
/// `report_fd` and the process ends. To be called with one thread.
Result<Ok> enter_sandbox(int report_fd);

/// The exit status of a worker that tried what is refused.
inline constexpr int kExitRefused = 71;

}  // namespace smaps_audit::service
