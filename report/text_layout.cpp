// SPDX-License-Identifier: Apache-2.0
#include "report/text_layout.h"

#include <algorithm>
#include <array>

#include "report/printable.h"

namespace smaps_audit {
namespace {

// One digit after the point, rounded half up, without going through floating point.
std::string tenths_text(std::uint64_t bytes, std::uint64_t unit_bytes) {
  std::uint64_t whole = bytes / unit_bytes;
  // rest < 2^60, so rest * 10 may not fit: units above TiB are divided first.
  const std::uint64_t scale = unit_bytes > (1ULL << 40U) ? 1024 : 1;
  std::uint64_t tenth =
      ((bytes % unit_bytes) / scale * 10 + unit_bytes / scale / 2) / (unit_bytes / scale);
  if (tenth == 10) {
    ++whole;
    tenth = 0;
  }
  return std::to_string(whole) + "." + std::to_string(tenth);
}

}  // namespace

std::string bytes_text(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 6> kUnits{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes < 1024) return std::to_string(bytes) + " B";
  std::size_t unit = 0;
  std::uint64_t unit_bytes = 1024;
  while (unit + 1 < kUnits.size() && bytes / unit_bytes >= 1024) {
    unit_bytes *= 1024;
    ++unit;
  }
  const bool whole_kib = unit == 0 && bytes % 1024 == 0;
  std::string number = whole_kib ? std::to_string(bytes / 1024) : tenths_text(bytes, unit_bytes);
  return number + " " + std::string{kUnits[unit]};
}

std::string interval_text(const Interval& bytes) {
  std::string low = bytes_text(bytes.low);
  const std::string high = bytes_text(bytes.high);
  if (low == high) return low;
  const std::size_t low_blank = low.find(' ');
  const std::size_t high_blank = high.find(' ');
  const bool one_unit = low.substr(low_blank) == high.substr(high_blank);
  return (one_unit ? low.substr(0, low_blank) : low) + " to " + high;
}

std::string pad_left(std::string_view text, std::size_t columns) {
  const std::size_t width = display_columns(text);
  return std::string(columns > width ? columns - width : 0, ' ') + std::string{text};
}

std::string pad_right(std::string_view text, std::size_t columns) {
  const std::size_t width = display_columns(text);
  return std::string{text} + std::string(columns > width ? columns - width : 0, ' ');
}

std::vector<std::string> wrap(std::string_view text, std::size_t columns) {
  std::vector<std::string> lines;
  std::string line;
  while (!text.empty()) {
    const std::size_t blank = text.find(' ');
    const std::string word = fit_columns(text.substr(0, blank), columns);
    text.remove_prefix(blank == std::string_view::npos ? text.size() : blank + 1);
    if (word.empty()) continue;
    if (!line.empty() && display_columns(line) + 1 + display_columns(word) > columns) {
      lines.push_back(std::move(line));
      line.clear();
    }
    if (!line.empty()) line += ' ';
    line += word;
  }
  if (!line.empty()) lines.push_back(std::move(line));
  return lines;
}

std::vector<std::string> hanging(std::string_view head, std::size_t indent, std::string_view text,
                                 std::size_t columns) {
  constexpr std::size_t kNarrowest = 24;
  std::vector<std::string> lines = wrap(text, std::max(columns, indent + kNarrowest) - indent);
  if (lines.empty()) lines.emplace_back();
  for (std::size_t i = 0; i < lines.size(); ++i) {
    lines[i].insert(0, i == 0 ? std::string{head} : std::string(indent, ' '));
  }
  lines.front().erase(lines.front().find_last_not_of(' ') + 1);
  return lines;
}

std::string counted(std::uint64_t count, std::string_view noun, std::string_view plural_ending) {
  return std::to_string(count) + " " + std::string{noun} +
         std::string{count == 1 ? "" : plural_ending};
}

std::string paint(std::string_view text, Colour colour, bool enabled) {
  if (!enabled || colour == Colour::none) return std::string{text};
  std::string_view code;
  switch (colour) {
    case Colour::none: break;
    case Colour::red: code = "\033[1;31m"; break;
    case Colour::yellow: code = "\033[33m"; break;
    case Colour::green: code = "\033[32m"; break;
    case Colour::bold: code = "\033[1m"; break;
    case Colour::dim: code = "\033[2m"; break;
  }
  return std::string{code} + std::string{text} + "\033[0m";
}

Colour colour_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::finding: return Colour::red;
    case Verdict::inconclusive: return Colour::yellow;
    case Verdict::consistent: return Colour::green;
    case Verdict::denied:
    case Verdict::vanished:
    case Verdict::skipped: return Colour::none;
  }
  return Colour::none;
}

std::string shout(Verdict verdict) {
  std::string text{name_of(verdict)};
  for (char& letter : text) letter = static_cast<char>(letter - 'a' + 'A');
  return text;
}

}  // namespace smaps_audit
