// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace smaps_audit {

/// Bytes as valid UTF-8: each byte that is no part of a well-formed sequence (RFC 3629: no overlong
/// forms, no surrogates, nothing above U+10FFFF) becomes the four characters `\xNN`, lower-case
/// hex. Everything else stays, a literal backslash too: made for reading, not for turning back.
std::string utf8_or_escaped(std::string_view bytes);

/// As above, and fit for a terminal: C0 and C1 control characters, DEL, line separators, invisible
/// and bidirectional formatting characters become `\xNN` byte by byte. What a target calls itself
/// can then neither move the cursor nor forge a line.
std::string printable(std::string_view bytes);

/// Columns that a string of `printable()` takes on a terminal (East Asian wide characters take two,
/// combining marks none).
std::size_t display_columns(std::string_view printable_text);

/// The first `columns` of it, "..." at the end where something was cut; never cuts a character in
/// two.
std::string fit_columns(std::string_view printable_text, std::size_t columns);

/// As `fit_columns`, but cuts in the middle, where a path is least telling.
std::string fit_path(std::string_view printable_text, std::size_t columns);

}  // namespace smaps_audit
