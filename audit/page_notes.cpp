// SPDX-License-Identifier: Apache-2.0
#include "audit/page_notes.h"

#include "config/known_defects.h"

namespace smaps_audit {
namespace {

constexpr std::uint64_t kNotedCounterBytes = 2u << 20;

std::optional<std::string> defect_if_known(std::string_view id) {
  const KnownDefect* const defect = find_known_defect(id);
  return defect == nullptr ? std::nullopt : std::optional{defect->id};
}

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

std::optional<Finding> cached_counter_note(std::uint64_t vm_rss, Interval resident,
                                           const KernelCapabilities& capabilities,
                                           std::uint64_t counter_slack) {
  if (capabilities.rss_counters != RssCounterError::per_thread || vm_rss >= resident.low) {
    return std::nullopt;
  }
  const std::uint64_t missing = resident.low - vm_rss;
  if (missing < kNotedCounterBytes || missing > counter_slack) return std::nullopt;
  return Finding{.check = "I4",
                 .direction = Direction::deficit,
                 .field = "VmRSS",
                 .interface = Interface::status,
                 .against = {},
                 .reported_bytes = vm_rss,
                 .expected = resident,
                 .error_bytes = missing,
                 .exact = false,
                 .brackets = 1,
                 .basis = Basis::asleep,
                 .defect = defect_if_known("K05"),
                 .cause = {},
                 .vmas = {}};
}

}  // namespace smaps_audit
