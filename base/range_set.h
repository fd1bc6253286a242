// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

namespace smaps_audit {

/// [first, last) of whatever is counted: bytes of an address space, or page numbers.
struct Range {
  std::uint64_t first = 0;
  std::uint64_t last = 0;

  [[nodiscard]] std::uint64_t length() const { return last - first; }
  bool operator==(const Range&) const = default;
};

/// A set of numbers as ascending, disjoint, non-touching ranges.
class RangeSet {
 public:
  /// Adds a range at or after the end of what is there; a range that touches the last one joins it.
  void append(Range range);

  [[nodiscard]] bool contains(Range range) const;
  [[nodiscard]] bool empty() const { return ranges_.empty(); }
  [[nodiscard]] std::uint64_t count() const;
  [[nodiscard]] const std::vector<Range>& ranges() const { return ranges_; }
  void clear() { ranges_.clear(); }

 private:
  std::vector<Range> ranges_;
};

RangeSet intersection(const RangeSet& a, const RangeSet& b);
RangeSet union_of(const RangeSet& a, const RangeSet& b);
/// What is in `a` and not in `b`.
RangeSet difference(const RangeSet& a, const RangeSet& b);

}  // namespace smaps_audit
