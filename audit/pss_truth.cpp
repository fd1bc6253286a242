// SPDX-License-Identifier: Apache-2.0
#include "audit/pss_truth.h"

#include <algorithm>
#include <array>

namespace smaps_audit {
namespace {

constexpr unsigned kPssShift = 12;  // fs/proc/task_mmu.c: PSS_SHIFT

MappingRun by_itself(MappingRun run, bool no_pmd) {
  if (!no_pmd || run.most != kAnyNumber) return run;
  run.fewest = run.exclusive ? 1 : 2;
  run.most = run.exclusive ? 1 : kAnyNumber;
  return run;
}

/// `add(pages, run)` for each part of `wanted` that one run covers, and with an unknown run for the
/// parts that none does.
template <class Add>
void each_part(const RangeSet& wanted, std::span<const MappingRun> runs, const Add& add) {
  auto run = runs.begin();
  for (const Range& range : wanted.ranges()) {
    std::uint64_t at = range.first;
    while (run != runs.end() && run->last <= at) ++run;
    for (; run != runs.end() && run->first < range.last; ++run) {
      if (at < run->first) add(run->first - at, MappingRun{});
      at = std::max(at, run->first);
      const std::uint64_t stop = std::min(run->last, range.last);
      add(stop - at, *run);
      at = stop;
      if (run->last > range.last) break;
    }
    if (at < range.last) add(range.last - at, MappingRun{});
  }
}

}  // namespace

std::vector<MappingRun> join_mappings(std::span<const MappingRun> a,
                                      std::span<const MappingRun> b) {
  std::vector<MappingRun> joined;
  auto left = a.begin();
  auto right = b.begin();
  while (left != a.end() && right != b.end()) {
    const std::uint64_t first = std::max(left->first, right->first);
    const std::uint64_t last = std::min(left->last, right->last);
    if (first < last) {
      const MappingRun both{.first = first,
                            .last = last,
                            .fewest = std::min(left->fewest, right->fewest),
                            .most = std::max(left->most, right->most),
                            .exclusive = left->exclusive && right->exclusive};
      if (!joined.empty() && joined.back().last == first && joined.back().same_counts(both)) {
        joined.back().last = last;
      } else {
        joined.push_back(both);
      }
    }
    if (left->last < right->last) {
      ++left;
    } else {
      ++right;
    }
  }
  return joined;
}

std::span<const MappingRun> mappings_in(std::span<const MappingRun> runs, Range pages_wanted) {
  const auto first = std::partition_point(runs.begin(), runs.end(), [&](const MappingRun& run) {
    return run.last <= pages_wanted.first;
  });
  const auto last = std::partition_point(
      first, runs.end(), [&](const MappingRun& run) { return run.first < pages_wanted.last; });
  return {first, last};
}

Interval pss_bytes(const PageSets& sets, std::span<const MappingRun> mappings, bool no_pmd,
                   const PageGeometry& pages) {
  const std::uint64_t whole = pages.page_bytes << kPssShift;
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  each_part(sets.sure, mappings, [&](std::uint64_t count, const MappingRun& run) {
    const std::uint32_t most = by_itself(run, no_pmd).most;
    if (most != kAnyNumber) low += count * (whole / most);
  });
  each_part(sets.possible, mappings, [&](std::uint64_t count, const MappingRun& run) {
    high += count * (whole / by_itself(run, no_pmd).fewest);
  });
  const std::uint64_t unit = std::uint64_t{1} << kPssShift;
  return {low >> kPssShift, (high + unit - 1) >> kPssShift};
}

bool maps_no_pmd(const SmapsRecord& record, Interval resident) {
  constexpr std::array kByPmd = {SmapsField::anon_huge_pages, SmapsField::shmem_pmd_mapped,
                                 SmapsField::file_pmd_mapped};
  const bool none = std::all_of(kByPmd.begin(), kByPmd.end(), [&](SmapsField field) {
    return record.values.bytes(field).value_or(0) == 0;
  });
  return none && record.values.has(SmapsField::anon_huge_pages) &&
         record.values.bytes(SmapsField::rss) == resident.low && resident.width() == 0;
}

}  // namespace smaps_audit
