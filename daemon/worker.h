// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/unique_fd.h"
#include "collect/kernel_capabilities.h"

namespace smaps_audit::service {

/// What a worker is given; in the service the descriptors are kOrderFd … kHeartFd of spawner.h.
struct WorkerOptions {
  UniqueFd orders;
  UniqueFd answers;
  UniqueFd scratch;
  UniqueFd heart;
  std::optional<std::string> proc_root = {};
  std::optional<std::string> sys_root = {};
  ForcedFallbacks without = {};
  bool sandbox = true;  ///< false: for tests of everything else
  /// Called once confined, for tests that try what is refused.
  std::function<void()> once_confined = {};
};

/// The exit status of a worker that found no memory within its limit.
inline constexpr int kExitOutOfMemory = 72;

/// Finds out what the kernel shows, confines itself, says hello, and carries out orders until their
/// pipe is closed. Returns the exit status.
int run_worker(WorkerOptions options);

}  // namespace smaps_audit::service
