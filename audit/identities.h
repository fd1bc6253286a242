// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "audit/verdict.h"
#include "collect/target.h"
#include "parsers/smaps.h"

namespace smaps_audit {

/// A relation inside one record that does not hold: one snapshot under one lock, so no race
/// explains it (docs/method.md §7, I1 and I2). Bytes.
struct BrokenIdentity {
  std::string_view check;     ///< "I1" or "I2"
  std::string_view relation;  ///< "Rss = Shared_Clean + …", for people
  std::string_view field;     ///< the field that the relation bounds
  std::uint64_t reported = 0;
  Interval expected;

  [[nodiscard]] Direction direction() const {
    return reported < expected.low ? Direction::deficit : Direction::excess;
  }
  [[nodiscard]] std::uint64_t error_bytes() const {
    return reported < expected.low ? expected.low - reported : reported - expected.high;
  }
};

/// I2 on one record of smaps, or of smaps_rollup (whose Size is absent). The first relation of the
/// table that is broken; a relation whose fields are absent is not asked.
std::optional<BrokenIdentity> broken_identity(const SmapsRecord& record);

/// I1: VmRSS = RssAnon + RssFile + RssShmem of one read.
std::optional<BrokenIdentity> broken_identity(const StatusNumbers& status);

}  // namespace smaps_audit
