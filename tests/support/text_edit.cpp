// SPDX-License-Identifier: Apache-2.0
#include "tests/support/text_edit.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/parse_int.h"

namespace smaps_audit {
namespace {

/// Calls `edit` with every line, without its newline, and joins what it returns.
template <class Edit>
Result<std::string> map_lines(std::string_view text, Edit edit) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    Result<std::string> line = edit(text.substr(0, end));
    if (!line) return line.error();
    out += *line;
    if (end == std::string_view::npos) break;
    out += '\n';
    text.remove_prefix(end + 1);
  }
  return out;
}

/// Start of a VMA if the line is a header, "55d0-55d1 r--p …".
std::optional<std::uint64_t> header_start(std::string_view line) {
  const std::size_t dash = line.find('-');
  const std::size_t space = line.find(' ');
  if (dash == std::string_view::npos || space == std::string_view::npos || space < dash) {
    return std::nullopt;
  }
  if (!parse_unsigned(line.substr(dash + 1, space - dash - 1), 16)) return std::nullopt;
  return parse_unsigned(line.substr(0, dash), 16);
}

Result<std::uint64_t> changed_value(std::uint64_t value, const Change& change,
                                    std::string_view name) {
  const auto scaled = static_cast<std::int64_t>(value * change.times / change.divided_by);
  if (scaled + change.add < 0) {
    return Error{
        .code = ErrorCode::usage,
        .what = std::string{name} + " would become " + std::to_string(scaled + change.add)};
  }
  return static_cast<std::uint64_t>(scaled + change.add);
}

/// "Rss:   1768 kB" with another number, right-aligned where the old one was.
Result<std::string> edit_value(std::string_view line, const Change& change) {
  const std::size_t colon = line.find(':');
  const std::size_t first = line.find_first_of("0123456789", colon);
  const std::size_t last = line.find_first_not_of("0123456789", first);
  const auto value = first == std::string_view::npos
                         ? std::nullopt
                         : parse_unsigned(line.substr(first, last - first));
  if (!value)
    return Error{.code = ErrorCode::malformed, .what = "no number in: " + std::string{line}};
  const Result<std::uint64_t> changed = changed_value(*value, change, line.substr(0, colon));
  if (!changed) return changed.error();
  const std::string digits = std::to_string(*changed);
  std::string head{line.substr(0, first)};
  const std::size_t width = last - first;
  for (std::size_t more = width; more < digits.size() && head.ends_with("  "); ++more) {
    head.pop_back();
  }
  if (digits.size() < width) head.append(width - digits.size(), ' ');
  return head + digits + std::string{line.substr(last)};
}

bool is_field(std::string_view line, std::string_view field) {
  return line.starts_with(field) && line.substr(field.size()).starts_with(':');
}

std::vector<std::string> words_of(std::string_view line) {
  std::vector<std::string> words;
  for (;;) {
    const std::size_t space = line.find(' ');
    words.emplace_back(line.substr(0, space));
    if (space == std::string_view::npos) return words;
    line.remove_prefix(space + 1);
  }
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

/// The first word that the kernel writes behind a count of this name: nodes come last.
bool comes_after(std::string_view word, std::string_view name) {
  const bool is_node = word.size() > 1 && word[0] == 'N' && word[1] >= '0' && word[1] <= '9';
  return word.starts_with("kernelpagesize_kB=") || (is_node && name[0] != 'N');
}

Result<std::string> edit_count(std::string_view line, std::string_view name, const Change& change) {
  const std::string key = std::string{name} + "=";
  std::vector<std::string> words = words_of(line);
  auto place = std::find_if(words.begin(), words.end(),
                            [&](const std::string& word) { return word.starts_with(key); });
  std::uint64_t pages = 0;
  if (place != words.end()) {
    pages = parse_unsigned(std::string_view{*place}.substr(key.size())).value_or(0);
    place = words.erase(place);
  } else {
    place = std::find_if(words.begin(), words.end(),
                         [&](const std::string& word) { return comes_after(word, name); });
  }
  const Result<std::uint64_t> changed = changed_value(pages, change, key);
  if (!changed) return changed.error();
  if (*changed != 0) words.insert(place, key + std::to_string(*changed));
  return joined(words);
}

}  // namespace

Result<EditedText> edit_smaps(std::string_view text, std::uint64_t vma_start,
                              std::string_view field, const Change& change,
                              std::optional<std::uint64_t>& current_vma) {
  EditedText edited;
  Result<std::string> lines = map_lines(text, [&](std::string_view line) -> Result<std::string> {
    if (const auto start = header_start(line)) current_vma = start;
    if (current_vma != vma_start || !is_field(line, field)) return std::string{line};
    ++edited.edits;
    return edit_value(line, change);
  });
  if (!lines) return lines.error();
  edited.text = *std::move(lines);
  return edited;
}

Result<EditedText> edit_fields(std::string_view text, std::string_view field,
                               const Change& change) {
  EditedText edited;
  Result<std::string> lines = map_lines(text, [&](std::string_view line) -> Result<std::string> {
    if (!is_field(line, field)) return std::string{line};
    ++edited.edits;
    return edit_value(line, change);
  });
  if (!lines) return lines.error();
  edited.text = *std::move(lines);
  return edited;
}

Result<EditedText> edit_numa_maps(std::string_view text, std::uint64_t vma_start,
                                  std::string_view name, const Change& change) {
  EditedText edited;
  Result<std::string> lines = map_lines(text, [&](std::string_view line) -> Result<std::string> {
    if (parse_unsigned(line.substr(0, line.find(' ')), 16) != vma_start) return std::string{line};
    ++edited.edits;
    return edit_count(line, name, change);
  });
  if (!lines) return lines.error();
  edited.text = *std::move(lines);
  return edited;
}

Result<EditedText> edit_statm(std::string_view text, std::string_view field, const Change& change) {
  constexpr std::array<std::string_view, 3> kNames = {"size", "resident", "shared"};
  const auto name = std::find(kNames.begin(), kNames.end(), field);
  std::vector<std::string> words = words_of(text);
  const auto at = static_cast<std::size_t>(name - kNames.begin());
  if (text.empty() || name == kNames.end() || at >= words.size()) {
    return EditedText{std::string{text}, 0};
  }
  const auto pages = parse_unsigned(words[at]);
  if (!pages) return Error{.code = ErrorCode::malformed, .what = "no number: " + words[at]};
  const Result<std::uint64_t> changed = changed_value(*pages, change, field);
  if (!changed) return changed.error();
  words[at] = std::to_string(*changed);
  return EditedText{joined(words), 1};
}

}  // namespace smaps_audit
