// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "base/range_set.h"

namespace smaps_audit {

/// What one page pass learnt of a page; whether the page counts as resident is decided later, when
/// the kind of its VMA is known (audit/page_class.h).
namespace page_state {
inline constexpr std::uint8_t kPresent = 1u << 0;
inline constexpr std::uint8_t kFile = 1u << 1;
inline constexpr std::uint8_t kExclusive = 1u << 2;  ///< plain pagemap only
inline constexpr std::uint8_t kSwapped = 1u << 3;    ///< any non-present, non-none entry
inline constexpr std::uint8_t kZero = 1u << 4;       ///< known to be a zero page: never resident
inline constexpr std::uint8_t kNotZero = 1u << 5;    ///< known not to be a zero page
inline constexpr std::uint8_t kHuge = 1u << 6;       ///< PMD-mapped (PAGEMAP_SCAN only)
inline constexpr std::uint8_t kRealSwap = 1u
                                          << 7;  ///< in swap, or poisoned: not resident for certain
/// In an entry that is SWAPPED, where EXCLUSIVE means nothing: a page lost to a memory error.
inline constexpr std::uint8_t kPoisoned = kExclusive;

inline bool is_poisoned(std::uint8_t state) {
  return (state & (kPresent | kSwapped | kPoisoned)) == (kSwapped | kPoisoned);
}
}  // namespace page_state

/// Neighbouring pages with the same state. Page numbers, [first, last).
struct PageRun {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::uint8_t state = 0;
};

/// By how many page tables a page is mapped, of all processes together, where nothing bounds it.
inline constexpr std::uint32_t kAnyNumber = UINT32_MAX;

/// Neighbouring pages with the same bounds on their number of mappings (what Pss divides by) in all
/// processes together. Page numbers, [first, last).
struct MappingRun {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::uint32_t fewest = 1;
  std::uint32_t most = kAnyNumber;
  bool exclusive = false;  ///< what pagemap itself claims: its EXCLUSIVE bit

  [[nodiscard]] bool same_counts(const MappingRun& other) const {
    return fewest == other.fewest && most == other.most && exclusive == other.exclusive;
  }
};

/// One walk over parts of an address space, in ascending order.
struct PagePass {
  std::vector<PageRun> runs;  ///< disjoint; pages of `covered` that are in no run have no entry
  /// Of present pages, where it was asked for; a page that is in no run has any number of mappings.
  std::vector<MappingRun> mappings;
  RangeSet covered;      ///< bytes: the addresses that this pass speaks of
  bool by_scan = false;  ///< PAGEMAP_SCAN, else plain reads

  void append(std::uint64_t first_page, std::uint64_t last_page, std::uint8_t state) {
    if (state == 0) return;
    if (!runs.empty() && runs.back().last == first_page && runs.back().state == state) {
      runs.back().last = last_page;
    } else {
      runs.push_back({first_page, last_page, state});
    }
  }
  void append_mappings(const MappingRun& run) {
    if (!mappings.empty() && mappings.back().last == run.first &&
        mappings.back().same_counts(run)) {
      mappings.back().last = run.last;
    } else {
      mappings.push_back(run);
    }
  }
  void clear() {
    runs.clear();
    mappings.clear();
    covered.clear();
  }
};

}  // namespace smaps_audit
