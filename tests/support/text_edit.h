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

/// What a number becomes: value · times / divided_by + add, in the unit of the text.
struct Change {
  std::int64_t add = 0;
  std::uint64_t times = 1;
  std::uint64_t divided_by = 1;
};

/// Changes "FIELD: … kB" of the VMA that starts at `vma_start`. `current_vma` is the VMA that the
/// last read of this file ended in, and is set to that of this one.
Result<EditedText> edit_smaps(std::string_view text, std::uint64_t vma_start,
                              std::string_view field, const Change& change,
                              std::optional<std::uint64_t>& current_vma);

/// The same for a text with one record: smaps_rollup, status.
Result<EditedText> edit_fields(std::string_view text, std::string_view field, const Change& change);

/// Changes "NAME=…" of the VMA's line of numa_maps ("N0", "anon"); what comes to 0 disappears from
/// the line and what was not there appears, as the kernel would have it.
Result<EditedText> edit_numa_maps(std::string_view text, std::uint64_t vma_start,
                                  std::string_view name, const Change& change);

/// Changes size, resident or shared of statm.
Result<EditedText> edit_statm(std::string_view text, std::string_view field, const Change& change);

}  // namespace smaps_audit
