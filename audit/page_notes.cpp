// SPDX-License-Identifier: Apache-2.0
#include "audit/page_notes.h"

#include "config/known_defects.h"

namespace smaps_audit {
namespace {

constexpr std::uint64_t kNotedCounterBytes = 2u << 20;
constexpr std::uint64_t kNotedExcessBytes = 8u << 20;

}  // namespace

std::optional<Finding> exclusive_note(std::span<const MappingRun> both_walks, Range vma_bytes,
                                      const std::string& name, const PageGeometry& pages) {
  std::uint64_t claimed = 0;
  std::uint64_t wrong = 0;
  for (const MappingRun& run : both_walks) {
    if (!run.exclusive) continue;
    claimed += pages.bytes(run.last - run.first);
    if (run.fewest >= 2 && run.most != kAnyNumber) wrong += pages.bytes(run.last - run.first);
  }
  if (wrong == 0) return std::nullopt;
  return Finding{.check = "I10",
                 .direction = Direction::excess,
                 .field = "EXCLUSIVE",
                 .interface = Interface::pagemap,
                 .against = {},
                 .reported_bytes = claimed,
                 .expected = {claimed - wrong, claimed - wrong},
                 .error_bytes = wrong,
                 .exact = false,
                 .brackets = 1,
                 .defect = defect_if_known("K09"),
                 .cause = {},
                 .vmas_total = 1,
                 .vmas = {{vma_bytes.first, vma_bytes.last, name, wrong}}};
}

std::optional<Finding> huge_zero_note(std::uint64_t flagged_bytes, bool by_scan, Range vma_bytes,
                                      const std::string& name) {
  if (flagged_bytes == 0) return std::nullopt;
  return Finding{.check = "I7",
                 .direction = Direction::excess,
                 .field = "FILE",
                 .interface = by_scan ? Interface::pagemap_scan : Interface::pagemap,
                 .against = {},
                 .reported_bytes = flagged_bytes,
                 .expected = {},
                 .error_bytes = flagged_bytes,
                 .exact = false,
                 .brackets = 1,
                 .defect = defect_if_known("K11"),
                 .cause = {},
                 .vmas_total = 1,
                 .vmas = {{vma_bytes.first, vma_bytes.last, name, flagged_bytes}}};
}

std::optional<Finding> cached_counter_note(std::uint64_t vm_rss, Interval resident,
                                           const KernelCapabilities& capabilities,
                                           std::uint64_t counter_slack) {
  if (capabilities.rss_counters == RssCounterError::exact) return std::nullopt;
  const bool by_thread = capabilities.rss_counters == RssCounterError::per_thread;
  const bool deficit = vm_rss < resident.low;
  const std::uint64_t error = deficit                  ? resident.low - vm_rss
                              : vm_rss > resident.high ? vm_rss - resident.high
                                                       : 0;
  if (by_thread && !deficit) return std::nullopt;
  // An execve charges as much by right.
  const std::uint64_t least = deficit ? kNotedCounterBytes : kNotedExcessBytes;
  if (error < least || error > counter_slack) return std::nullopt;
  return Finding{.check = "I4",
                 .direction = deficit ? Direction::deficit : Direction::excess,
                 .field = "VmRSS",
                 .interface = Interface::status,
                 .against = {},
                 .reported_bytes = vm_rss,
                 .expected = resident,
                 .error_bytes = error,
                 .exact = false,
                 .brackets = 1,
                 .basis = Basis::asleep,
                 .defect = defect_if_known(by_thread ? "K05" : "K06"),
                 .cause = {},
                 .vmas = {}};
}

}  // namespace smaps_audit
