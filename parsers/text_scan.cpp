// SPDX-License-Identifier: Apache-2.0
#include "parsers/text_scan.h"

#include <algorithm>

#include "base/parse_int.h"

namespace smaps_audit {
namespace {

constexpr std::size_t kExcerptBytes = 60;
constexpr std::uint64_t kBytesPerKib = 1024;

bool is_key_byte(char byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
         (byte >= '0' && byte <= '9') || byte == '_';
}

}  // namespace

std::string quoted_excerpt(std::string_view bytes) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string text = "\"";
  for (const char byte : bytes.substr(0, kExcerptBytes)) {
    const auto code = static_cast<unsigned char>(byte);
    if (code >= 0x20 && code < 0x7f && byte != '"' && byte != '\\') {
      text += byte;
    } else {
      text += "\\x";
      text += kHex[code >> 4];
      text += kHex[code & 0xf];
    }
  }
  text += bytes.size() > kExcerptBytes ? "...\"" : "\"";
  return text;
}

Error malformed_error(std::string_view problem, std::string_view excerpt,
                      std::optional<std::uint64_t> line) {
  return Error{.code = ErrorCode::malformed,
               .what = std::string{problem} + ": " + quoted_excerpt(excerpt),
               .line = line};
}

Error truncated_error(std::string_view problem, std::string_view text) {
  const bool whole = !text.empty() && text.back() == '\n';
  const std::string_view body = text.substr(0, whole ? text.size() - 1 : text.size());
  const std::string_view last_line = body.substr(body.rfind('\n') + 1);
  const auto lines_before = static_cast<std::uint64_t>(std::count(body.begin(), body.end(), '\n'));
  return Error{.code = ErrorCode::truncated,
               .what = std::string{problem} + ": " + quoted_excerpt(last_line),
               .line = lines_before + 1};
}

std::optional<Error> check_whole_lines(std::string_view text) {
  if (text.empty() || text.back() == '\n') return std::nullopt;
  return truncated_error("the text ends within a line", text);
}

std::optional<KeyedLine> split_keyed_line(std::string_view line) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) return std::nullopt;
  const std::string_view key = line.substr(0, colon);
  if (!std::all_of(key.begin(), key.end(), is_key_byte)) return std::nullopt;
  return KeyedLine{.key = key, .rest = line.substr(colon + 1)};
}

std::optional<std::uint64_t> parse_kib_as_bytes(std::string_view text) {
  constexpr std::string_view kUnit = " kB";
  const std::string_view value = skip_blanks(text);
  if (!value.ends_with(kUnit)) return std::nullopt;
  const auto kib = parse_unsigned(value.substr(0, value.size() - kUnit.size()));
  if (!kib || *kib > UINT64_MAX / kBytesPerKib) return std::nullopt;
  return *kib * kBytesPerKib;
}

}  // namespace smaps_audit
