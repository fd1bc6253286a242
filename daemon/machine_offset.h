// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "collect/kernel_view.h"

namespace smaps_audit::service {

/// A part of `interval` that this machine's id decides, so that the hosts of a fleet don't sweep in
/// step. Nothing where there is no id.
Nanoseconds offset_of_this_machine(Nanoseconds interval);

}  // namespace smaps_audit::service
