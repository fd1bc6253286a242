// SPDX-License-Identifier: Apache-2.0
#include "audit/device_copies.h"

#include <algorithm>

#include "collect/sampler.h"
#include "config/known_defects.h"

namespace smaps_audit {
namespace {

using Field = SmapsField;

Finding copies_left_out(Interface interface, std::string_view field, const Extremes& said,
                        Interval unseen) {
  return {.check = "I4.anon",
          .direction = Direction::deficit,
          .field = std::string{field},
          .interface = interface,
          .against = {},
          .reported_bytes = said.largest,
          .expected = {said.largest + unseen.low, said.largest + unseen.high},
          .error_bytes = unseen.low,
          .exact = unseen.width() == 0 && said.smallest == said.largest,
          .brackets = said.reads,
          .defect = defect_if_known("K07"),
          .cause = {},
          .vmas = {}};
}

}  // namespace

std::vector<Finding> device_copy_findings(const FieldWatch& fields, const FieldLimits& limits,
                                          const std::vector<FindingVma>& mappings) {
  std::vector<Finding> findings;
  const auto unseen = fields.unseen_copies(fields.smaps(Field::anonymous), limits);
  if (!unseen) return findings;
  for (const char* const field : {"Rss", "Anonymous"}) {
    findings.push_back(copies_left_out(Interface::smaps, field, fields.device_copy_rss(), *unseen));
    if (mappings.size() != 1) continue;
    findings.back().vmas_total = 1;
    findings.back().vmas = mappings;
    findings.back().vmas.front().error_bytes = unseen->low;
  }
  const Extremes& rollup = fields.rollup(Field::anonymous);
  if (const auto missing = fields.unseen_copies(rollup, limits)) {
    const Extremes& rss = fields.rollup(Field::rss);
    if (rss.seen()) {
      findings.push_back(copies_left_out(Interface::smaps_rollup, "Rss", rss, *missing));
    }
    findings.push_back(copies_left_out(Interface::smaps_rollup, "Anonymous", rollup, *missing));
  }
  const Extremes& numa = fields.numa_anon();
  if (const auto missing = fields.unseen_copies(numa, limits);
      missing && numa.reads >= kSeriesSteps) {
    findings.push_back(copies_left_out(Interface::numa_maps, "anon", numa, *missing));
  }
  return findings;
}

}  // namespace smaps_audit
