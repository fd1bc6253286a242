// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "collect/kernel_view.h"
#include "probes/guardian.h"

namespace smaps_audit::probes {

/// A switch of the host, turned for as long as this lives. The old value returns when it is
/// destroyed, and when this process ends in whatever way, SIGKILL included; unless somebody else
/// has changed it meanwhile. Whoever else turns the same switch through this waits.
class HostSwitch {
 public:
  /// The file `path` holds one number; `wanted` says which from what it was. Errors: `denied` (it
  /// may not be written), `unsupported` (the kernel has none), `deadline` (another run holds it),
  /// `malformed` (no number), `io`.
  static Result<HostSwitch> turn(KernelView& view, const std::string& path,
                                 const std::function<std::uint64_t(std::uint64_t before)>& wanted,
                                 const std::function<bool()>& stopped);

 private:
  HostSwitch() = default;

  UniqueFd file_;  ///< locked
  Guardian guardian_;
};

}  // namespace smaps_audit::probes
