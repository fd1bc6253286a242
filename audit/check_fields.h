// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "audit/checks.h"

namespace smaps_audit {

/// The rows of the table of checks that relate single fields: I1.*, I2.*, I4.*, I5.*, I6.*.
std::span<const CheckText> field_checks();

}  // namespace smaps_audit
