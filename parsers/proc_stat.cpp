// SPDX-License-Identifier: Apache-2.0
#include "parsers/proc_stat.h"

#include <optional>
#include <string>

#include "base/parse_int.h"
#include "parsers/text_scan.h"

namespace smaps_audit {
namespace {

constexpr unsigned kStateField = 3;
constexpr unsigned kLastField = 28;

bool is_letter(char byte) { return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z'); }

/// Where field `number` (from 4 on) goes, or nullptr if the audit does not need it.
std::uint64_t* unsigned_field(ProcStat& stat, unsigned number) {
  switch (number) {
    case 9: return &stat.flags;
    case 10: return &stat.minor_faults;
    case 12: return &stat.major_faults;
    case 20: return &stat.num_threads;
    case 22: return &stat.start_time_ticks;
    case 26: return &stat.start_code;
    case 28: return &stat.start_stack;
    default: return nullptr;
  }
}

/// One field behind comm; false if it is not what the kernel writes there.
bool read_field(unsigned number, std::string_view word, ProcStat& stat) {
  if (number == kStateField) {
    if (word.size() != 1 || !is_letter(word[0])) return false;
    stat.state = word[0];
    return true;
  }
  if (std::uint64_t* const target = unsigned_field(stat, number)) {
    const auto value = parse_unsigned(word);
    *target = value.value_or(0);
    return value.has_value();
  }
  // nice, tpgid and some others may be negative; rsslim exceeds a signed number.
  const auto value = parse_signed(word);
  if (number == 4) {
    stat.parent_pid = value.value_or(0);
    return value.has_value();
  }
  return value.has_value() || parse_unsigned(word).has_value();
}

std::string field_problem(unsigned number) {
  return "field " + std::to_string(number) + " of stat is not what the kernel writes there";
}

}  // namespace

Result<ProcStat> parse_proc_stat(std::string_view text) {
  if (text.empty()) return truncated_error("the text is empty", text);
  if (auto error = check_whole_lines(text)) return *std::move(error);
  ProcStat stat;
  const std::size_t open = text.find(" (");
  const std::size_t close = text.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) {
    return malformed_error("stat has no name in parentheses", text, 1);
  }
  const auto pid = parse_unsigned(text.substr(0, open));
  if (!pid) return malformed_error("stat does not start with a pid", text, 1);
  stat.pid = *pid;
  stat.comm = text.substr(open + 2, close - open - 2);
  std::string_view rest = text.substr(close + 1, text.size() - close - 2);
  if (!rest.empty() && rest[0] != ' ') {
    return malformed_error("no blank follows the name in stat", rest, 1);
  }
  rest.remove_prefix(rest.empty() ? 0 : 1);
  for (unsigned number = kStateField; number <= kLastField; ++number) {
    if (rest.empty()) return truncated_error("stat has fewer than 28 fields", text);
    const std::string_view word = take_word(rest);
    if (!read_field(number, word, stat)) return malformed_error(field_problem(number), word, 1);
  }
  return stat;
}

}  // namespace smaps_audit
