// SPDX-License-Identifier: Apache-2.0
#include "base/range_set.h"

#include <algorithm>
#include <cassert>

namespace smaps_audit {

void RangeSet::append(Range range) {
  if (range.first >= range.last) return;
  assert(ranges_.empty() || ranges_.back().last <= range.first);
  if (!ranges_.empty() && ranges_.back().last == range.first) {
    ranges_.back().last = range.last;
  } else {
    ranges_.push_back(range);
  }
}

bool RangeSet::contains(Range range) const {
  const auto after =
      std::upper_bound(ranges_.begin(), ranges_.end(), range.first,
                       [](std::uint64_t value, const Range& r) { return value < r.first; });
  return after != ranges_.begin() && range.last <= std::prev(after)->last;
}

std::uint64_t RangeSet::count() const {
  std::uint64_t total = 0;
  for (const Range& range : ranges_) total += range.length();
  return total;
}

RangeSet intersection(const RangeSet& a, const RangeSet& b) {
  RangeSet both;
  auto left = a.ranges().begin();
  auto right = b.ranges().begin();
  while (left != a.ranges().end() && right != b.ranges().end()) {
    both.append({std::max(left->first, right->first), std::min(left->last, right->last)});
    if (left->last < right->last) {
      ++left;
    } else {
      ++right;
    }
  }
  return both;
}

RangeSet union_of(const RangeSet& a, const RangeSet& b) {
  RangeSet all;
  auto left = a.ranges().begin();
  auto right = b.ranges().begin();
  Range open{};
  const auto take = [&](const Range& range) {
    if (range.first <= open.last && open.length() != 0) {
      open.last = std::max(open.last, range.last);
      return;
    }
    all.append(open);
    open = range;
  };
  while (left != a.ranges().end() || right != b.ranges().end()) {
    const bool from_left =
        right == b.ranges().end() || (left != a.ranges().end() && left->first < right->first);
    take(from_left ? *left++ : *right++);
  }
  all.append(open);
  return all;
}

RangeSet difference(const RangeSet& a, const RangeSet& b) {
  RangeSet rest;
  auto hole = b.ranges().begin();
  for (Range range : a.ranges()) {
    while (hole != b.ranges().end() && hole->last <= range.first) ++hole;
    for (auto cut = hole; cut != b.ranges().end() && cut->first < range.last; ++cut) {
      if (cut->first > range.first) rest.append({range.first, cut->first});
      range.first = std::min(std::max(range.first, cut->last), range.last);
    }
    rest.append(range);
  }
  return rest;
}

}  // namespace smaps_audit
