// SPDX-License-Identifier: Apache-2.0
#include "audit/poisoned_pages.h"

#include "config/known_defects.h"

namespace smaps_audit {
namespace {

Finding counted_too_much(Interface interface, const Extremes& said, const Extremes& vm_rss) {
  return {.check = "I4",
          .direction = Direction::excess,
          .field = "Rss",
          .interface = interface,
          .against = {},
          .reported_bytes = said.smallest,
          .expected = {vm_rss.smallest, vm_rss.largest},
          .error_bytes = said.smallest - vm_rss.largest,
          .exact = said.smallest == said.largest && vm_rss.smallest == vm_rss.largest,
          .brackets = said.reads,
          .defect = defect_if_known("K08"),
          .cause = {},
          .vmas = {}};
}

}  // namespace

std::vector<Finding> poisoned_page_findings(const FieldWatch& fields, const FieldLimits& limits,
                                            std::optional<std::uint64_t> hardware_corrupted,
                                            const std::vector<FindingVma>& mappings) {
  std::vector<Finding> findings;
  const auto add = [&](Interface interface, const Extremes& rss) {
    const auto excess = fields.beyond_counters(rss, limits);
    if (!excess || *excess > hardware_corrupted.value_or(0) || *excess > limits.walk.width()) {
      return;
    }
    findings.push_back(counted_too_much(interface, rss, fields.vm_rss()));
  };
  add(Interface::smaps, fields.smaps(SmapsField::rss));
  if (findings.empty()) return findings;
  std::uint64_t located = 0;
  for (const FindingVma& mapping : mappings) located += mapping.error_bytes;
  if (located == findings.front().error_bytes) {
    findings.front().vmas_total = mappings.size();
    findings.front().vmas = mappings;
  }
  add(Interface::smaps_rollup, fields.rollup(SmapsField::rss));
  return findings;
}

}  // namespace smaps_audit
