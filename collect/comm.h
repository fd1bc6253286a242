// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "collect/kernel_view.h"

namespace smaps_audit {

/// The name of a process, byte for byte; everybody may read it, also where the rest is denied.
/// Empty where it could not be read.
std::string read_comm(KernelView& view, int pid);

}  // namespace smaps_audit
