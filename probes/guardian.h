// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <functional>

#include "base/result.h"
#include "base/unique_fd.h"

namespace smaps_audit::probes {

/// A process that puts something back when this object is destroyed, and when this process ends in
/// whatever way, SIGKILL included.
class Guardian {
 public:
  /// `act` runs in a fork in which every descriptor but `keep` (-1: none) is closed, and allocates
  /// nothing. Error `io`: no process could be made.
  static Result<Guardian> start(int keep, const std::function<void()>& act);
  Guardian() = default;
  Guardian(Guardian&& other) noexcept;
  Guardian& operator=(Guardian&& other) noexcept;
  Guardian(const Guardian&) = delete;
  Guardian& operator=(const Guardian&) = delete;
  /// Waits until it has acted.
  ~Guardian();

 private:
  UniqueFd life_;  ///< its other end tells that we have gone
  pid_t pid_ = -1;
};

}  // namespace smaps_audit::probes
