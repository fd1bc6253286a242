// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

namespace smaps_audit {

/// The one integer parser: all of `text` must be digits of `base`, without sign or blanks, and fit
/// 64 bits; anything else is nullopt. (std::from_chars; sto*, strto*, ato*, sscanf are banned.)
inline std::optional<std::uint64_t> parse_unsigned(std::string_view text, int base = 10) {
  std::uint64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, base);
  if (error != std::errc{} || stop != end || text.empty()) return std::nullopt;
  return value;
}

/// As above, with an optional leading '-'.
inline std::optional<std::int64_t> parse_signed(std::string_view text) {
  std::int64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, 10);
  if (error != std::errc{} || stop != end || text.empty()) return std::nullopt;
  return value;
}

}  // namespace smaps_audit
