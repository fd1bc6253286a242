// SPDX-License-Identifier: Apache-2.0
#include "audit/missing_fields.h"

#include <algorithm>

namespace smaps_audit {
namespace {

constexpr std::uint64_t kPssFloorBytes = 1024;  // smaps prints whole kB

/// The same pages, counted by another field too, unless that field has room for them already.
void add_count(std::vector<MissingField>& found, const VmaWatch& vma, const Blame& rss,
               SmapsField field) {
  const Extremes& said = vma.field(field);
  if (!said.seen() || said.largest + rss.error > rss.expected.high) return;
  const std::uint64_t most = rss.expected.high - vma.smaps_rss().smallest;
  found.push_back({.field = field,
                   .check = rss.check,
                   .reported = said.largest,
                   .expected = {said.largest + rss.error, said.largest + std::max(rss.error, most)},
                   .error = rss.error,
                   .exact = rss.exact && said.smallest == said.largest});
}

void add_pss(std::vector<MissingField>& found, const VmaWatch& vma, const Blame& rss,
             const PageGeometry& pages) {
  const Extremes& said = vma.field(SmapsField::pss);
  const auto pss = vma.pss(pages);
  if (!said.seen() || !pss || pss->low < said.largest + kPssFloorBytes) return;
  found.push_back({.field = SmapsField::pss,
                   .check = "I11",
                   .reported = said.largest,
                   .expected = *pss,
                   .error = pss->low - said.largest,
                   .exact = rss.exact && pss->width() == 0 && said.smallest == said.largest});
}

}  // namespace

std::vector<MissingField> missing_fields(const VmaWatch& vma, const Blame& rss,
                                         const PageGeometry& pages) {
  std::vector<MissingField> found;
  add_pss(found, vma, rss, pages);
  if (vma.traits().anonymous_private) {
    add_count(found, vma, rss, SmapsField::anonymous);
    add_count(found, vma, rss, SmapsField::anon_huge_pages);
  } else if (vma.traits().shared_writable) {
    add_count(found, vma, rss, SmapsField::shmem_pmd_mapped);
  }
  return found;
}

}  // namespace smaps_audit
