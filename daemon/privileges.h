// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

/// Who holds what (docs/design.md, "The service"): the parent nothing, the spawner and its workers
/// CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH and, where the service was given it, CAP_SYS_ADMIN.
namespace smaps_audit::service {

/// For good: no capability in any set, none to be gained by an exec (no_new_privs).
Result<Ok> drop_all_capabilities();

/// Of what the process holds, keeps the three that reading takes, for itself and across exec
/// (inheritable, ambient; and the bounding set where that may be changed); drops the rest.
Result<Ok> keep_reading_capabilities();

}  // namespace smaps_audit::service
