// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string_view>

namespace smaps_audit {

/// Levenshtein's: how many letters have to be put in, taken out or changed.
std::size_t edit_distance(std::string_view from, std::string_view to);

/// May somebody who typed `typed` have meant `meant`? Up to a third of the letters are off, at
/// least one may be.
bool is_similar(std::string_view typed, std::string_view meant);

}  // namespace smaps_audit
