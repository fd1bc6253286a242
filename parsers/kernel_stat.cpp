// SPDX-License-Identifier: Apache-2.0
#include "parsers/kernel_stat.h"

#include "base/parse_int.h"
#include "parsers/text_scan.h"

namespace smaps_audit {

Result<KernelStat> parse_kernel_stat(std::string_view text) {
  if (text.empty()) return truncated_error("the text is empty", text);
  if (auto error = check_whole_lines(text)) return *std::move(error);
  KernelStat stat;
  LineScanner lines(text);
  while (const auto line = lines.next()) {
    std::string_view value_text = *line;
    if (take_word(value_text) != "processes") continue;
    const bool again = stat.forks.has_value();
    stat.forks = parse_unsigned(value_text);
    if (again) return malformed_error("the value stands twice", *line, lines.number());
    if (!stat.forks) {
      return malformed_error("the value is not a number of 64 bits", *line, lines.number());
    }
  }
  return stat;
}

}  // namespace smaps_audit
