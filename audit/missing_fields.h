// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "audit/blame.h"
#include "audit/vma_watch.h"
#include "base/interval.h"
#include "base/page_geometry.h"
#include "parsers/smaps.h"

namespace smaps_audit {

/// Another field of a record that is short by what Rss is short of. Bytes.
struct MissingField {
  SmapsField field = SmapsField::pss;
  std::string_view check;
  std::uint64_t reported = 0;
  Interval expected;
  std::uint64_t error = 0;  ///< a lower bound; the very error iff `exact`
  bool exact = false;
};

/// What else smaps leaves out where it leaves out pages that PMDs map (K01): all of those pages are
/// in AnonHugePages and Anonymous, or in ShmemPmdMapped, and Pss lacks their shares. One snapshot
/// under one lock lacks them all, so that the Rss finding carries these.
std::vector<MissingField> missing_fields(const VmaWatch& vma, const Blame& rss,
                                         const PageGeometry& pages);

}  // namespace smaps_audit
