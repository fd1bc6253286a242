// SPDX-License-Identifier: Apache-2.0
#include "parsers/memory_stat.h"

#include "base/parse_int.h"
#include "parsers/text_scan.h"

namespace smaps_audit {
namespace {

/// nullptr if the line is right, else what is wrong with it.
const char* read_line(std::string_view line, MemoryStat& stat) {
  std::string_view value_text = line;
  const std::string_view name = take_word(value_text);
  if (name.empty() || value_text.empty()) return "the line is not a name and a number";
  if (name != "anon" && name != "total_rss") return nullptr;
  if (stat.anon) return "the value stands twice";
  stat.anon = parse_unsigned(value_text);
  return stat.anon ? nullptr : "the value is not a number of 64 bits";
}

}  // namespace

Result<MemoryStat> parse_memory_stat(std::string_view text) {
  if (text.empty()) return truncated_error("the text is empty", text);
  if (auto error = check_whole_lines(text)) return *std::move(error);
  MemoryStat stat;
  LineScanner lines(text);
  while (const auto line = lines.next()) {
    const char* const problem = read_line(*line, stat);
    if (problem != nullptr) return malformed_error(problem, *line, lines.number());
  }
  return stat;
}

}  // namespace smaps_audit
