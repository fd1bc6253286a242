// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "audit/verdict.h"
#include "audit/vma_watch.h"

namespace smaps_audit {

/// Whom the others contradict in one VMA, and by how much.
struct Blame {
  Interface interface = Interface::smaps;
  std::optional<Interface> against;  ///< a pair: nothing else decides between the two
  Direction direction = Direction::deficit;
  std::string_view check;
  std::string_view field;
  std::uint64_t reported = 0;  ///< bytes
  Interval expected;           ///< bytes
  std::uint64_t error = 0;     ///< bytes; a lower bound, exact iff `exact`
  bool exact = false;
  std::optional<std::string> defect;
  std::optional<Cause> cause;
};

/// The witness that the others contradict (docs/design.md, "Who is lying?"): one that takes part in
/// every contradiction of the VMA. Where two do, they are a pair. Of the pages only: what a record
/// says beside its Rss is weighed against the totals (audit/relation.h). `asleep` allows a pair of
/// smaps and numa_maps alone, `numa_settled` says that numa_maps was read often enough to be
/// accused.
std::optional<Blame> blame(const VmaWatch& vma, bool asleep, bool numa_settled,
                           const PageGeometry& pages);

}  // namespace smaps_audit
