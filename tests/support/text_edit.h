// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace smaps_audit {

/// A text of /proc with one number changed, and how often it was found. The texts stay well-formed:
/// a number keeps its column unless it needs more digits than the column has blanks.
struct EditedText {
  std::string text;
  std::uint64_t edits = 0;
};

/// Adds `add_kb` to "FIELD: … kB" of the VMA that starts at `vma_start`. `current_vma` is the VMA
/// that the last read of this file ended in, and is set to that of this one.
Result<EditedText> edit_smaps(std::string_view text, std::uint64_t vma_start,
                              std::string_view field, std::int64_t add_kb,
                              std::optional<std::uint64_t>& current_vma);

/// The same for a text with one record: smaps_rollup, status.
Result<EditedText> edit_fields(std::string_view text, std::string_view field, std::int64_t add_kb);

/// Adds to N<node>= of the VMA's line of numa_maps; a node that comes to 0 pages disappears from
/// the line and one that was not there appears, as the kernel would have it.
Result<EditedText> edit_numa_maps(std::string_view text, std::uint64_t vma_start,
                                  std::uint64_t node, std::int64_t add_pages);

}  // namespace smaps_audit
