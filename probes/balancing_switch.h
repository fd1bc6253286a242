// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "collect/kernel_view.h"

namespace smaps_audit::probes {

/// kernel.numa_balancing, on for as long as this lives. The old value returns when it is destroyed,
/// and when this process ends in whatever way, SIGKILL included: a guardian child sees to it. It
/// leaves the value alone if somebody else has changed it meanwhile. Whoever else uses this waits.
class BalancingSwitch {
 public:
  /// Errors: `denied` (the sysctl may not be written), `unsupported` (the kernel has none),
  /// `deadline` (another run holds it), `io`.
  static Result<BalancingSwitch> turn_on(KernelView& view, const std::string& proc_root,
                                         const std::function<bool()>& stopped);
  BalancingSwitch(BalancingSwitch&& other) noexcept;
  BalancingSwitch& operator=(BalancingSwitch&&) = delete;
  BalancingSwitch(const BalancingSwitch&) = delete;
  BalancingSwitch& operator=(const BalancingSwitch&) = delete;
  ~BalancingSwitch();

 private:
  BalancingSwitch() = default;
  Result<Ok> start_guardian(const std::string& before, const std::string& ours);

  UniqueFd sysctl_;  ///< locked
  UniqueFd life_;    ///< the guardian acts when its other end says that we have gone
  pid_t guardian_ = -1;
};

}  // namespace smaps_audit::probes
