// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>

namespace smaps_audit {

/// A time on the wall clock, since 1970-01-01 UTC, in UTC as std::put_time writes it, in whole
/// seconds. 64 bits of nanoseconds reach from 1677 to 2262: every value has a date.
std::string utc_text(std::chrono::nanoseconds since_epoch, const char* format);

}  // namespace smaps_audit
