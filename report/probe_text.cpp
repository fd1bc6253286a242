// SPDX-License-Identifier: Apache-2.0
#include <ostream>

#include "report/card_report.h"
#include "report/printable.h"
#include "report/probe_report.h"
#include "report/text_layout.h"

namespace smaps_audit {
namespace {

using probes::DefectState;
using probes::Outcome;
using probes::Tier;

constexpr std::size_t kNameColumns = 20;
constexpr std::size_t kOutcomeColumns = 14;

void write_block(std::ostream& out, const std::string& head, std::size_t indent,
                 std::string_view text, const TextStyle& style) {
  for (const auto& line : hanging(head, indent, printable(text), style.columns)) {
    out << line << '\n';
  }
}

Colour colour_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::pass: return Colour::green;
    case Outcome::fail: return Colour::red;
    case Outcome::inconclusive: return Colour::yellow;
    case Outcome::skipped: return Colour::dim;
  }
  return Colour::none;
}

std::string padded(std::string_view word, Colour colour, const TextStyle& style,
                   std::size_t columns) {
  return paint(word, colour, style.colour) +
         std::string(columns > word.size() ? columns - word.size() : 1, ' ');
}

/// A YAML scalar in single quotes.
std::string quoted(std::string_view text) {
  std::string result = "'";
  for (const char letter : printable(text)) result += letter == '\'' ? "''" : std::string{letter};
  return result + "'";
}

void write_result(std::ostream& out, const probes::ProbeResult& result, const TextStyle& style) {
  const probes::Answer& answer = result.answer;
  std::string text;
  for (const std::string& id : answer.present_defects()) text += id + " ";
  text += answer.reason;
  const std::string head =
      pad_right(result.probe, kNameColumns) +
      padded(name_of(answer.outcome), colour_of(answer.outcome), style, kOutcomeColumns);
  constexpr std::size_t kIndent = kNameColumns + kOutcomeColumns;
  write_block(out, head, kIndent, text, style);
  const bool telling = answer.outcome == Outcome::fail || answer.outcome == Outcome::inconclusive;
  if (!telling && !style.verbose) return;
  constexpr std::size_t kDetail = kNameColumns + 10;
  const std::string indent(kNameColumns, ' ');
  if (!answer.expected.empty()) {
    write_block(out, indent + "expected  ", kDetail, answer.expected, style);
  }
  if (!answer.observed.empty()) {
    write_block(out, indent + "observed  ", kDetail, answer.observed, style);
  }
}

std::string tier_text(Tier tier, bool uses_balancing) {
  switch (tier) {
    case Tier::instant: return uses_balancing ? "always; more with --allow-sysctl" : "always";
    case Tier::balanced: return "with --allow-sysctl";
    case Tier::extended: return uses_balancing ? "with --all and --allow-sysctl" : "with --all";
    case Tier::by_name: return "by its name only";
  }
  return "";
}

std::string ids_in(const probes::BehaviourCard& card, DefectState state) {
  std::string ids;
  for (const probes::CardRow& row : card.defects) {
    if (row.state == state) ids += (ids.empty() ? "" : " ") + row.id;
  }
  return ids.empty() ? "none" : ids;
}

void write_card_head(std::ostream& out, const probes::BehaviourCard& card, const TextStyle& style) {
  out << paint("Behaviour card", Colour::bold, style.colour) << " of Linux "
      << printable(card.kernel_release) << ", boot " << printable(card.boot_id).substr(0, 8);
  if (!card.livepatches.empty()) {
    out << ", " << counted(card.livepatches.size(), "live patch", "es") << ":";
    for (const std::string& patch : card.livepatches) out << ' ' << printable(patch);
  }
  out << '\n';
}

void write_era(std::ostream& out, const probes::BehaviourCard& card, const TextStyle& style) {
  const std::string era = card.gup_era.empty()
                              ? "unknown: " + card.gup_era_reason
                              : card.gup_era + ", " + std::string{probes::era_text(card.gup_era)};
  write_block(out, "  GUP era   ", 12, era, style);
}

Colour colour_of(DefectState state) {
  switch (state) {
    case DefectState::present: return Colour::red;
    case DefectState::absent: return Colour::green;
    case DefectState::unknown: return Colour::none;
  }
  return Colour::none;
}

}  // namespace

void write_card(std::ostream& out, const probes::BehaviourCard& card, const TextStyle& style) {
  write_card_head(out, card, style);
  for (const probes::CardRow& row : card.defects) {
    const std::string head =
        "  " + row.id + "  " + padded(name_of(row.state), colour_of(row.state), style, 9);
    write_block(out, head, 16, std::string{probes::title_of(row.id)} + " (" + row.reason + ")",
                style);
  }
  write_era(out, card, style);
}

void write_card_brief(std::ostream& out, const probes::BehaviourCard& card,
                      const TextStyle& style) {
  write_card_head(out, card, style);
  bool any = false;
  for (const probes::CardRow& row : card.defects) {
    if (row.state != DefectState::present) continue;
    any = true;
    write_block(out, "  " + padded("present", Colour::red, style, 10) + row.id + "  ", 17,
                probes::title_of(row.id), style);
  }
  if (!any) out << "  present   none\n";
  write_block(out, "  " + padded("absent", Colour::green, style, 10), 12,
              ids_in(card, DefectState::absent), style);
  write_block(out, "  unknown   ", 12,
              ids_in(card, DefectState::unknown) + " (why: smaps-audit doctor --kernel)", style);
  write_era(out, card, style);
}

void write_probe_text(std::ostream& out, const ProbeReport& report, const TextStyle& style) {
  out << "smaps-audit " << report.tool_version << ": probes of Linux "
      << printable(report.host.kernel_release) << "\n\n";
  for (const probes::ProbeResult& result : report.results) write_result(out, result, style);
  out << '\n';
  write_card_brief(out, report.card, style);
  out << '\n'
      << paint(report.verdict.line, colour_of(report.verdict.outcome), style.colour) << '\n';
}

void write_probe_tap(std::ostream& out, const ProbeReport& report) {
  out << "TAP version 13\n1.." << report.results.size() << '\n';
  std::size_t number = 0;
  for (const probes::ProbeResult& result : report.results) {
    const probes::Answer& answer = result.answer;
    out << (answer.outcome == Outcome::pass || answer.outcome == Outcome::skipped ? "ok "
                                                                                  : "not ok ")
        << ++number << " - " << result.probe;
    if (answer.outcome == Outcome::skipped) out << " # SKIP " << printable(answer.reason);
    out << '\n';
    if (answer.outcome == Outcome::pass || answer.outcome == Outcome::skipped) continue;
    out << "  ---\n  outcome: " << name_of(answer.outcome) << "\n  defects: [";
    std::string comma;
    for (const std::string& id : answer.present_defects()) {
      out << comma << id;
      comma = ", ";
    }
    out << "]\n  reason: " << quoted(answer.reason) << "\n  expected: " << quoted(answer.expected)
        << "\n  observed: " << quoted(answer.observed) << "\n  ...\n";
  }
  out << "# " << printable(report.verdict.line) << '\n';
}

void write_probe_list(std::ostream& out, std::span<const probes::Probe* const> rows,
                      const TextStyle& style) {
  for (const probes::Probe* const probe : rows) {
    out << paint(probe->name, Colour::bold, style.colour) << '\n';
    write_block(out, "  asks   ", 9, probe->question, style);
    write_block(out, "  needs  ", 9, probe->needs, style);
    write_block(out, "  costs  ", 9, probe->cost, style);
    write_block(out, "  runs   ", 9, tier_text(probe->tier, probe->uses_balancing), style);
  }
}

}  // namespace smaps_audit
