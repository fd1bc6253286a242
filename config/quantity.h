// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace smaps_audit {

/// Durations and sizes as the configuration writes them: a whole number and its unit, nothing else
/// ("15s", "10ms", "64MiB"); one quantity, one number, so that nobody has to add up. All errors are
/// `usage`, and say what would be right.

/// ns us ms s m h d.
Result<std::chrono::nanoseconds> parse_duration(std::string_view text);
/// In the largest unit that needs no fraction. Never negative.
std::string duration_text(std::chrono::nanoseconds duration);

/// B KiB MiB GiB TiB. KB and MB are refused: half of those who write them mean 1024.
Result<std::uint64_t> parse_size(std::string_view text);
std::string size_text(std::uint64_t bytes);

}  // namespace smaps_audit
