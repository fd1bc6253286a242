// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "config/object_reader.h"
#include "config/settings.h"

namespace smaps_audit {

/// One rule of targets.rules; what can never match is a problem, too.
TargetRule read_rule(ObjectReader& object);

}  // namespace smaps_audit
