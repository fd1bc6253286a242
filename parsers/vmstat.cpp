// SPDX-License-Identifier: Apache-2.0
#include "parsers/vmstat.h"

#include <array>

#include "base/parse_int.h"
#include "parsers/text_scan.h"

namespace smaps_audit {
namespace {

struct Counter {
  std::string_view name;
  std::optional<std::uint64_t> Vmstat::*value;
};
constexpr std::array<Counter, 6> kCounters = {{
    {"thp_fault_alloc", &Vmstat::thp_fault_alloc},
    {"thp_file_mapped", &Vmstat::thp_file_mapped},
    {"thp_collapse_alloc", &Vmstat::thp_collapse_alloc},
    {"thp_collapse_alloc_failed", &Vmstat::thp_collapse_alloc_failed},
    {"numa_pte_updates", &Vmstat::numa_pte_updates},
    {"numa_hint_faults", &Vmstat::numa_hint_faults},
}};

/// nullptr if the line is right, else what is wrong with it.
const char* read_line(std::string_view line, Vmstat& vmstat) {
  std::string_view value_text = line;
  const std::string_view name = take_word(value_text);
  if (name.empty() || value_text.empty()) return "the line is not a name and a number";
  for (const Counter& counter : kCounters) {
    if (counter.name != name) continue;
    if (vmstat.*(counter.value)) return "the counter stands twice";
    vmstat.*(counter.value) = parse_unsigned(value_text);
    return vmstat.*(counter.value) ? nullptr : "the counter is not a number of 64 bits";
  }
  return nullptr;
}

}  // namespace

Result<Vmstat> parse_vmstat(std::string_view text) {
  if (text.empty()) return truncated_error("the text is empty", text);
  if (auto error = check_whole_lines(text)) return *std::move(error);
  Vmstat vmstat;
  LineScanner lines(text);
  while (const auto line = lines.next()) {
    const char* const problem = read_line(*line, vmstat);
    if (problem != nullptr) return malformed_error(problem, *line, lines.number());
  }
  return vmstat;
}

}  // namespace smaps_audit
