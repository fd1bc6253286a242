// SPDX-License-Identifier: Apache-2.0
#include "config/settings_problem.h"

#include <string_view>

namespace smaps_audit {
namespace {

std::string on_one_line(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string line;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20U && byte != 0x7FU) {
      line += c;
    } else {
      line += {'\\', 'x', kDigits[byte >> 4U], kDigits[byte & 0xFU]};
    }
  }
  return line;
}

}  // namespace

std::string SettingsProblem::message() const {
  std::string text;
  if (place) text += std::to_string(place->line) + ":" + std::to_string(place->column) + ": ";
  if (!path.empty()) text += path + ": ";
  text += what;
  if (!remedy.empty()) text += "; " + remedy;
  return on_one_line(text);
}

}  // namespace smaps_audit
