// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "audit/verdict.h"
#include "base/interval.h"

namespace smaps_audit {

/// Bytes for people, IEC units: "0 B", "836 KiB", "1.7 MiB", "14.0 GiB". One digit after the point
/// from MiB on and where KiB are not whole.
std::string bytes_text(std::uint64_t bytes);

/// "65.7 MiB" where both ends are one number, else "65.1 to 65.7 MiB".
std::string interval_text(const Interval& bytes);

std::string pad_left(std::string_view text, std::size_t columns);
std::string pad_right(std::string_view text, std::size_t columns);

/// `text` broken at blanks into lines of at most `columns`; a longer word is cut with "...".
std::vector<std::string> wrap(std::string_view text, std::size_t columns);

/// `head` and `text` to its right, wrapped: the following lines begin under the first word,
/// `indent` columns in. `head` fills these columns (colour codes take none). At least one line, at
/// most `columns` wide, but the text gets 24 of them in any case; none ends in blanks.
std::vector<std::string> hanging(std::string_view head, std::size_t indent, std::string_view text,
                                 std::size_t columns);

/// "1 mapping", "2 mappings".
std::string counted(std::uint64_t count, std::string_view noun,
                    std::string_view plural_ending = "s");

enum class Colour : std::uint8_t { none, red, yellow, green, bold, dim };

/// `text` in colour, or as it is where `enabled` is false.
std::string paint(std::string_view text, Colour colour, bool enabled);

Colour colour_of(Verdict verdict);

/// The verdict in capitals: "FINDING".
std::string shout(Verdict verdict);

}  // namespace smaps_audit
