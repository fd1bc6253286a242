// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "probes/numa_hints.h"
#include "tests/workloads/memory.h"

namespace smaps_audit::workloads {

/// probes::make_hinted of this machine.
HintedMemory make_hinted(std::size_t bytes, Pages pages);

}  // namespace smaps_audit::workloads
