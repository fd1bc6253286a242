// SPDX-License-Identifier: Apache-2.0
#include <ostream>

#include "report/doctor_report.h"
#include "report/printable.h"
#include "report/text_layout.h"

namespace smaps_audit {
namespace {

constexpr std::size_t kNameColumns = 26;
constexpr std::size_t kStateColumns = 9;

std::string state_text(const std::optional<bool>& works, std::string_view yes, std::string_view no,
                       const TextStyle& style) {
  const std::string_view word = !works ? "unknown" : *works ? yes : no;
  const Colour colour = !works ? Colour::yellow : *works ? Colour::green : Colour::red;
  return paint(word, colour, style.colour) + std::string(kStateColumns - word.size(), ' ');
}

void write_row(std::ostream& out, const std::string& head, const std::string& text,
               const TextStyle& style) {
  constexpr std::size_t kHead = 2 + kNameColumns + kStateColumns;
  for (const std::string& line : hanging(head, kHead, text, style.columns)) out << line << '\n';
}

std::string feature_text(const DoctorFeature& feature) {
  if (feature.works == true) return printable(feature.detail);
  std::string text = printable(feature.detail);
  if (!text.empty()) text += ". ";
  text += "Without it: " + feature.cost;
  if (!feature.remedy.empty()) text += " Needs: " + feature.remedy;
  return text;
}

}  // namespace

void write_doctor_text(std::ostream& out, const DoctorReport& report, const TextStyle& style) {
  out << "smaps-audit " << report.tool_version << " on Linux "
      << printable(report.host.kernel_release) << "\n\n";
  out << paint("What this kernel shows us", Colour::bold, style.colour) << '\n';
  for (const DoctorFeature& feature : report.features) {
    const std::string head = "  " + pad_right(feature.name, kNameColumns) +
                             state_text(feature.works, "yes", "no", style);
    write_row(out, head, feature_text(feature), style);
  }
  out << '\n'
      << paint("Privileges, each beside those above it", Colour::bold, style.colour) << '\n';
  for (const PrivilegeLevel& level : report.levels) {
    const std::string head = "  " + pad_right(level.name, kNameColumns) +
                             state_text(level.held, "held", "missing", style);
    write_row(out, head, level.gives, style);
  }
}

}  // namespace smaps_audit
