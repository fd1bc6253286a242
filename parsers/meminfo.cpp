// SPDX-License-Identifier: Apache-2.0
#include "parsers/meminfo.h"

#include <algorithm>
#include <array>

#include "parsers/text_scan.h"

namespace smaps_audit {
namespace {

struct Field {
  std::string_view name;
  std::optional<std::uint64_t> Meminfo::*value;
};
constexpr std::array<Field, 6> kFields = {{
    {"MemTotal", &Meminfo::total},
    {"AnonPages", &Meminfo::anon_pages},
    {"Mapped", &Meminfo::mapped},
    {"AnonHugePages", &Meminfo::anon_huge_pages},
    {"FileHugePages", &Meminfo::file_huge_pages},
    {"HardwareCorrupted", &Meminfo::hardware_corrupted},
}};

/// nullptr if the line is right, else what is wrong with it. Keys may hold parentheses
/// ("Active(anon)"), so the first colon ends them.
const char* read_line(std::string_view line, Meminfo& meminfo) {
  const std::size_t colon = line.find(':');
  if (colon == 0 || colon == std::string_view::npos) return "the line has no key";
  const std::string_view name = line.substr(0, colon);
  const auto* const field = std::find_if(kFields.begin(), kFields.end(),
                                         [name](const Field& row) { return row.name == name; });
  if (field == kFields.end()) return nullptr;
  std::optional<std::uint64_t>& value = meminfo.*(field->value);
  if (value) return "the field stands twice";
  value = parse_kib_as_bytes(line.substr(colon + 1));
  return value ? nullptr : "the value is no number of kB";
}

}  // namespace

Result<Meminfo> parse_meminfo(std::string_view text) {
  if (text.empty()) return truncated_error("the text is empty", text);
  if (auto error = check_whole_lines(text)) return *std::move(error);
  Meminfo meminfo;
  LineScanner lines(text);
  while (const auto line = lines.next()) {
    const char* const problem = read_line(*line, meminfo);
    if (problem != nullptr) return malformed_error(problem, *line, lines.number());
  }
  return meminfo;
}

}  // namespace smaps_audit
