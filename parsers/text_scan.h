// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace smaps_audit {

/// What the text parsers of this folder share. Nothing outside parsers/ needs it.
///
/// At most 60 bytes of `bytes` in double quotes, fit for a log or for JSON: control bytes, '"',
/// '\\' and bytes >= 0x80 become \xNN; what is cut off is shown as "...".
std::string quoted_excerpt(std::string_view bytes);

/// `malformed`: `<problem>: "<excerpt>"`, with the 1-based line if there is one.
Error malformed_error(std::string_view problem, std::string_view excerpt,
                      std::optional<std::uint64_t> line = std::nullopt);

/// `truncated` at the last line of `text`.
Error truncated_error(std::string_view problem, std::string_view text);

/// An error unless `text` is empty or ends with '\n': the kernel writes whole lines.
std::optional<Error> check_whole_lines(std::string_view text);

/// One forward walk over a text that check_whole_lines() has passed.
class LineScanner {
 public:
  explicit LineScanner(std::string_view text) : rest_(text) {}

  /// The next line without its '\n', or nullopt at the end.
  std::optional<std::string_view> next() {
    if (rest_.empty()) return std::nullopt;
    const std::string_view line = rest_.substr(0, rest_.find('\n'));
    rest_.remove_prefix(line.size() + 1);
    ++number_;
    return line;
  }
  /// 1-based number of the line that next() gave last.
  [[nodiscard]] std::uint64_t number() const { return number_; }

 private:
  std::string_view rest_;
  std::uint64_t number_ = 0;
};

/// Cuts the bytes up to the next ' ' off `rest`, and that blank too. Empty if `rest` starts with
/// one.
inline std::string_view take_word(std::string_view& rest) {
  const std::string_view word = rest.substr(0, rest.find(' '));
  rest.remove_prefix(word.size() < rest.size() ? word.size() + 1 : word.size());
  return word;
}

/// Without the blanks and tabs at its start.
inline std::string_view skip_blanks(std::string_view text) {
  while (!text.empty() && (text[0] == ' ' || text[0] == '\t')) text.remove_prefix(1);
  return text;
}

/// A line `Key: rest`, as smaps and status write them. nullopt unless the key is of [A-Za-z0-9_]+.
struct KeyedLine {
  std::string_view key;
  std::string_view rest;  ///< all bytes after the colon
};
std::optional<KeyedLine> split_keyed_line(std::string_view line);

/// "<blanks><digits> kB" in bytes; nullopt if it is anything else or does not fit 64 bits.
std::optional<std::uint64_t> parse_kib_as_bytes(std::string_view text);

}  // namespace smaps_audit
