// SPDX-License-Identifier: Apache-2.0
#include "report/text_process.h"

#include <algorithm>
#include <ostream>

#include "base/hex.h"
#include "report/printable.h"
#include "report/reasons.h"
#include "report/text_finding.h"
#include "report/text_layout.h"

namespace smaps_audit {
namespace {

using Lines = std::vector<std::string>;

constexpr std::size_t kLabelColumns = 10;
constexpr std::size_t kWrongLines = 4;
constexpr std::string_view kEllipsis = " ...";

void append(Lines& lines, const Lines& more) {
  lines.insert(lines.end(), more.begin(), more.end());
}

// "  Label   text, wrapped, the following lines indented as the first"
Lines labelled(std::string_view label, std::string_view text, const TextStyle& style) {
  if (text.empty()) return {};
  return hanging(pad_right("  " + std::string{label}, kLabelColumns), kLabelColumns, text,
                 style.columns);
}

// "postgres (pid 4211)"; the name is shortened where room is short, and goes where it is very
// short.
std::string process_name(const ProcessReport& process, std::size_t columns) {
  constexpr std::size_t kShortestName = 4;
  std::string pid = "pid " + std::to_string(process.pid);
  const std::size_t around = pid.size() + 3;
  if (process.comm.empty() || columns < around + kShortestName) return pid;
  return fit_columns(printable(process.comm), columns - around) + " (" + pid + ")";
}

// The first line says everything that a hurried reader needs: the name gives way, not the numbers.
std::string first_line(const ProcessReport& process, std::string_view claim, std::string_view extra,
                       const TextStyle& style) {
  const std::string verdict = shout(process.verdict);
  const std::size_t fixed = verdict.size() + 2 + 2 + display_columns(claim);
  const std::size_t room = style.columns > fixed ? style.columns - fixed : 0;
  std::string rest = process_name(process, room) + ": " + std::string{claim};
  if (!extra.empty()) {
    const std::string longer = rest + " (" + std::string{extra} + ")";
    if (verdict.size() + 2 + display_columns(longer) <= style.columns) rest = longer;
  }
  rest = fit_columns(rest, style.columns - verdict.size() - 2);
  return paint(verdict, colour_of(process.verdict), style.colour) + "  " + rest;
}

std::string row_state(const ProcessReport& process, Interface interface, bool readable,
                      const TextStyle& style) {
  for (const Finding* finding : by_weight(process)) {
    if (finding->interface == interface) {
      const std::string word = finding->against ? "DISPUTED" : "WRONG";
      return paint(word, Colour::red, style.colour) + "  " + error_text(*finding);
    }
    if (finding->against == interface) return paint("DISPUTED", Colour::red, style.colour);
  }
  if (!readable) return paint("not readable", Colour::dim, style.colour);
  return process.verdict == Verdict::inconclusive ? "not judged" : "ok";
}

std::string row(std::string_view name, std::optional<std::uint64_t> bytes, std::string_view state) {
  return "  " + pad_right(name, 14) + pad_left(bytes ? bytes_text(*bytes) : "-", 11) +
         pad_left(bytes ? std::to_string(*bytes) : "-", 17) + "  " + std::string{state};
}

// Where every read is another number, the one that the finding is about.
std::optional<std::uint64_t> shown_read(const ProcessReport& process, Interface interface,
                                        std::optional<std::uint64_t> screened) {
  for (const Finding* finding : by_weight(process)) {
    if (finding->interface == interface && finding->field == "Rss" && varies(*finding)) {
      return finding->reported_bytes;
    }
  }
  return screened;
}

Lines witness_table(const ProcessReport& process, const TextStyle& style) {
  struct Witness {
    std::string_view name;
    Interface interface;
    std::optional<std::uint64_t> bytes;
  };
  const ReportedMemory& reported = process.reported;
  const Witness witnesses[] = {
      {"smaps", Interface::smaps, reported.rss_bytes},
      {"smaps_rollup", Interface::smaps_rollup, reported.rollup_rss_bytes},
      {"numa_maps", Interface::numa_maps, reported.numa_maps_bytes},
      {"status VmRSS", Interface::status, reported.status_rss_bytes},
  };
  Lines lines;
  lines.push_back("  " + paint(pad_right("Witness", 14) + pad_left("Rss", 11) +
                                   pad_left("bytes", 17) + "  verdict",
                               Colour::dim, style.colour));
  for (const Witness& witness : witnesses) {
    lines.push_back(row(witness.name, shown_read(process, witness.interface, witness.bytes),
                        row_state(process, witness.interface, witness.bytes.has_value(), style)));
  }
  const std::string walk =
      process.truth && process.truth->by_scan ? "PAGEMAP_SCAN" : "pagemap walk";
  if (!process.truth) {
    lines.push_back(row(walk, std::nullopt, row_state(process, Interface::pagemap, false, style)));
    return lines;
  }
  const Interval& truth = process.truth->rss;
  const Interface walker = process.truth->by_scan ? Interface::pagemap_scan : Interface::pagemap;
  std::string state = row_state(process, walker, true, style);
  if (state == "ok" || state == "not judged") {
    state = truth.width() == 0 ? "the truth" : "at least; at most " + bytes_text(truth.high);
  }
  lines.push_back(row(walk, truth.low, state));
  return lines;
}

std::string vma_line(const FindingVma& vma, const TextStyle& style) {
  const std::string range = hex(vma.start) + "-" + hex(vma.end);
  const std::string head = pad_right(range, 25) + pad_left(bytes_text(vma.error_bytes), 11) + "  ";
  const std::size_t used = kLabelColumns + display_columns(head);
  const std::string name = vma.name.empty() ? "anonymous" : printable(vma.name);
  return head + fit_path(name, style.columns > used ? style.columns - used : 1);
}

// At most `room` lines; the last says how many VMAs are not shown.
Lines where_lines(const Finding& finding, std::size_t room, const TextStyle& style) {
  Lines lines;
  const std::uint64_t total = std::max<std::uint64_t>(finding.vmas_total, finding.vmas.size());
  if (total == 0 || room == 0) return lines;
  std::size_t shown = std::min<std::size_t>({finding.vmas.size(), room, 4});
  if (shown < total && shown == room) --shown;
  for (std::size_t i = 0; i < shown; ++i) lines.push_back(vma_line(finding.vmas[i], style));
  const std::uint64_t hidden = total - shown;
  if (hidden != 0) {
    lines.push_back(shown == 0 ? "in " + counted(total, "mapping")
                               : "and " + std::to_string(hidden) + " more");
  }
  for (std::size_t i = 0; i < lines.size(); ++i) {
    lines[i] = pad_right(i == 0 ? "  Where" : "", kLabelColumns) + lines[i];
  }
  return lines;
}

// Each different defect once, with its advice.
Lines defect_lines(const std::vector<const Finding*>& findings, int pid, const TextStyle& style) {
  Lines defects;
  Lines advices;
  std::vector<std::optional<std::string>> seen;
  if (!style.advice) return defects;
  for (const Finding* finding : findings) {
    if (std::find(seen.begin(), seen.end(), finding->defect) != seen.end()) continue;
    seen.push_back(finding->defect);
    append(defects, labelled("Defect", defect_text(*finding), style));
    for (const std::string& sentence : advice(*finding, pid)) {
      append(advices, labelled(advices.empty() ? "To do" : "", sentence, style));
    }
  }
  constexpr std::size_t kMostAdvice = 7;
  if (advices.size() > kMostAdvice) advices.resize(kMostAdvice);
  constexpr std::size_t kMostDefects = 4;
  if (defects.size() > kMostDefects) defects.resize(kMostDefects);
  append(defects, advices);
  return defects;
}

// One line each, at most `room`; the last says how many are not shown.
Lines note_lines(const ProcessReport& process, std::size_t room, const TextStyle& style) {
  constexpr std::size_t kMostNotes = 5;
  room = std::min(room, kMostNotes);
  Lines lines;
  const std::size_t total = process.notes.size();
  if (total == 0 || room == 0) return lines;
  const std::size_t shown = total > room ? room - 1 : total;
  for (std::size_t i = 0; i < shown; ++i) {
    lines.push_back(note_text(process.notes[i], style.columns - kLabelColumns));
  }
  if (shown == 0) {
    lines.push_back(counted(total, "note") + ": see --format json");
  } else if (shown < total) {
    lines.push_back("and " + std::to_string(total - shown) + " more: see --format json");
  }
  for (std::size_t i = 0; i < lines.size(); ++i) {
    lines[i] = pad_right(i == 0 ? "  Notes" : "", kLabelColumns) + lines[i];
  }
  return lines;
}

// What stands between the head and the table of the witnesses.
Lines notes_and_table(const ProcessReport& process, std::size_t used, const TextStyle& style) {
  Lines table = witness_table(process, style);
  const std::size_t taken = used + table.size();
  Lines lines = note_lines(process, kMaxProcessLines > taken ? kMaxProcessLines - taken : 0, style);
  append(lines, table);
  return lines;
}

// What is left out is shown to be.
void append_at_most(Lines& lines, Lines more, std::size_t most) {
  if (more.size() > most && most != 0) {
    std::string& last = more[most - 1];
    last.erase(last.find_last_not_of(" ,;") + 1);
    if (last.size() > kEllipsis.size())
      last.resize(last.find_last_of(' ', last.size() - kEllipsis.size()));
    last += kEllipsis;
  }
  more.resize(std::min(more.size(), most));
  append(lines, more);
}

// Where a finding is, before its notes: the mapping that is the most wrong, and that there are
// more.
constexpr std::size_t kWhereLines = 2;

Lines finding_lines(const ProcessReport& process, const TextStyle& style) {
  const std::vector<const Finding*> findings = by_weight(process);
  const Finding& worst = *findings.front();
  Lines head{first_line(process, claim_text(process, worst), error_text(worst), style)};
  append_at_most(head, labelled("Wrong", wrong_text(findings), style), kWrongLines);
  append_at_most(head, labelled("Sure", basis_text(worst), style), 2);
  Lines tail = defect_lines(findings, process.pid, style);
  append(tail, notes_and_table(process, head.size() + tail.size() + kWhereLines, style));
  const std::size_t used = head.size() + tail.size();
  append(head, where_lines(worst, kMaxProcessLines > used ? kMaxProcessLines - used : 0, style));
  append(head, tail);
  return head;
}

Lines inconclusive_lines(const ProcessReport& process, const TextStyle& style) {
  const ReasonText* const reason = find_reason(process.reason);
  std::string claim = process.truth
                          ? "an error of " + bytes_text(process.open_bytes) + " could hide"
                          : "the audit came to no end";
  if (process.audited_bytes != 0) claim += " in " + bytes_text(process.audited_bytes);
  Lines lines{first_line(process, claim, printable(process.reason), style)};
  std::string why = printable(process.explanation);
  if (why.empty())
    why = reason == nullptr ? printable(process.reason) : std::string{reason->meaning};
  append_at_most(lines, labelled("Why", why, style), 6);
  if (reason != nullptr && !reason->help.empty()) {
    append_at_most(lines, labelled("Help", reason->help, style), 3);
  }
  append(lines, notes_and_table(process, lines.size(), style));
  return lines;
}

Lines consistent_lines(const ProcessReport& process, const TextStyle& style) {
  std::string claim = "smaps is right";
  if (process.truth) claim = "Rss is right, true " + interval_text(process.truth->rss);
  Lines lines{first_line(process, claim, "", style)};
  const std::string checked = counted(process.vmas, "mapping") + " in " +
                              counted(process.brackets, "bracket") + "; " +
                              bytes_text(process.open_bytes) + " could hide an error.";
  append(lines, labelled("Checked", checked, style));
  append(lines, notes_and_table(process, lines.size(), style));
  return lines;
}

Lines unaudited_lines(const ProcessReport& process, const TextStyle& style) {
  const ReasonText* const reason = find_reason(process.reason);
  const std::string word = process.reason.empty() ? "not audited" : printable(process.reason);
  Lines lines{first_line(process, "not audited", word, style)};
  std::string why = reason == nullptr ? "" : std::string{reason->meaning};
  if (!process.explanation.empty() && process.verdict != Verdict::skipped) {
    why += (why.empty() ? "" : " ") + printable(process.explanation);
  }
  append_at_most(lines, labelled("Why", why, style), 6);
  if (reason != nullptr) append_at_most(lines, labelled("Help", reason->help, style), 3);
  return lines;
}

}  // namespace

void write_process_text(std::ostream& out, const ProcessReport& process, const TextStyle& style) {
  constexpr unsigned kNarrowest = 40;
  TextStyle safe = style;
  safe.columns = std::max(style.columns, kNarrowest);
  Lines lines;
  switch (process.verdict) {
    case Verdict::finding:
      lines =
          process.findings.empty() ? unaudited_lines(process, safe) : finding_lines(process, safe);
      break;
    case Verdict::inconclusive: lines = inconclusive_lines(process, safe); break;
    case Verdict::consistent: lines = consistent_lines(process, safe); break;
    case Verdict::denied:
    case Verdict::vanished:
    case Verdict::skipped: lines = unaudited_lines(process, safe); break;
  }
  for (const std::string& line : lines) out << line << '\n';
}

}  // namespace smaps_audit
