// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

namespace smaps_audit {

/// A closed interval of a non-negative quantity; `low <= high` always.
struct Interval {
  std::uint64_t low = 0;
  std::uint64_t high = 0;

  [[nodiscard]] std::uint64_t width() const { return high - low; }
  [[nodiscard]] bool contains(std::uint64_t value) const { return low <= value && value <= high; }

  /// Grown by `slack` on both sides, the upper end capped at `cap` (method.md §4: L', U').
  [[nodiscard]] Interval widened(std::uint64_t slack, std::uint64_t cap) const {
    const std::uint64_t grown = high > UINT64_MAX - slack ? UINT64_MAX : high + slack;
    return {low > slack ? low - slack : 0, std::max(low, std::min(cap, grown))};
  }

  /// Both ends less by this; 0 where there is less.
  [[nodiscard]] Interval minus(std::uint64_t amount) const {
    return {low > amount ? low - amount : 0, high > amount ? high - amount : 0};
  }

  Interval& operator+=(const Interval& other) {
    low += other.low;
    high += other.high;
    return *this;
  }
  bool operator==(const Interval&) const = default;
};

}  // namespace smaps_audit
