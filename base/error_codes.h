// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string_view>

#include "base/error.h"

namespace smaps_audit {

/// All of them, in the order of their declaration.
inline constexpr std::array kErrorCodes{
    ErrorCode::gone,      ErrorCode::denied,    ErrorCode::unsupported,
    ErrorCode::malformed, ErrorCode::truncated, ErrorCode::deadline,
    ErrorCode::io,        ErrorCode::usage,     ErrorCode::diverged,
};

/// As it is spelled in the declaration.
std::string_view name_of(ErrorCode code);

}  // namespace smaps_audit
