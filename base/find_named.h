// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>

namespace smaps_audit {

/// The one of `values` that is spelled `word` by its name_of(); nullopt for any other word.
template <class Values>
auto find_named(const Values& values, std::string_view word)
    -> std::optional<typename Values::value_type> {
  for (const auto& value : values) {
    if (name_of(value) == word) return value;
  }
  return std::nullopt;
}

}  // namespace smaps_audit
