// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "base/range_set.h"
#include "collect/kernel_capabilities.h"
#include "collect/target.h"

namespace smaps_audit {

/// Addresses from here on belong to the kernel ([vsyscall]): no page pass speaks of them.
inline constexpr std::uint64_t kKernelHalf = std::uint64_t{1} << 63;

/// Adds a VMA that maps no file; one out of order (a list that is torn) is left out, which costs
/// time only.
inline void add_without_file(RangeSet& without_file, Range vma) {
  const bool in_order = without_file.empty() || without_file.ranges().back().last <= vma.first;
  if (in_order) without_file.append(vma);
}

/// Tells which VMAs the next read of smaps will probably hold, so that a page pass can cover them
/// before (docs/method.md §3). A hint only: what it misses is not covered, and so not compared. By
/// PROCMAP_QUERY where the kernel has it, else by a second descriptor on maps that is read in step.
class LookAhead {
 public:
  LookAhead(KernelView& view, const Target& target, bool by_query)
      : view_(view), target_(target), by_query_(by_query) {}

  /// Starts again at the lowest address.
  Result<Ok> restart();

  /// Appends up to `count` VMAs that end above `from`, in ascending order, and those of them that
  /// map no file to `without_file` as well. Calls go upwards.
  Result<Ok> next(std::uint64_t from, std::size_t count, std::vector<Range>& vmas,
                  RangeSet& without_file);

 private:
  struct Listed {
    Range range;
    bool has_file = false;
  };

  Result<Ok> next_by_query(std::uint64_t from, std::size_t count, std::vector<Range>& vmas,
                           RangeSet& without_file);
  Result<Ok> read_more();

  KernelView& view_;
  const Target& target_;
  bool by_query_;
  std::string buffer_;
  std::deque<Listed> leader_;
  bool at_end_ = false;
};

}  // namespace smaps_audit
