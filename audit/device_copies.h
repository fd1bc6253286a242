// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "audit/field_watch.h"
#include "audit/verdict.h"

namespace smaps_audit {

/// K07, I4.anon: private copies in mappings of devices that the counters of a sleeping process have
/// and that smaps, its rollup and numa_maps (if it was read in a whole series) leave out.
/// `mappings`: all that may hold them; where it is only one, it is named. None: not proved.
std::vector<Finding> device_copy_findings(const FieldWatch& fields, const FieldLimits& limits,
                                          const std::vector<FindingVma>& mappings);

}  // namespace smaps_audit
