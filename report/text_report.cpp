// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <ostream>
#include <set>

#include "report/printable.h"
#include "report/reasons.h"
#include "report/report.h"
#include "report/text_finding.h"
#include "report/text_layout.h"
#include "report/text_process.h"

namespace smaps_audit {
namespace {

constexpr std::size_t kPidColumns = 7;
constexpr std::size_t kCommColumns = 15;
constexpr std::size_t kBytesColumns = 11;
constexpr std::size_t kWorstInconclusive = 10;
constexpr std::size_t kListAllUpTo = 20;

using Rows = std::vector<const ProcessReport*>;

Rows rows_of(const AuditReport& report, Verdict verdict) {
  Rows rows;
  for (const ProcessReport& process : report.processes) {
    if (process.verdict == verdict && !process.kernel_thread) rows.push_back(&process);
  }
  return rows;
}

std::string head_of(const ProcessReport& process) {
  const std::string comm = process.comm.empty() ? "?" : printable(process.comm);
  return pad_left(std::to_string(process.pid), kPidColumns) + "  " +
         pad_right(fit_columns(comm, kCommColumns), kCommColumns);
}

std::string bytes_cell(const std::optional<std::uint64_t>& bytes) {
  return pad_left(bytes ? bytes_text(*bytes) : "-", kBytesColumns);
}

std::string title(std::string_view text, Colour colour, const TextStyle& style) {
  return paint(text, colour, style.colour);
}

// "smaps,smaps_rollup": every interface that a finding of the process accuses.
std::string accused(const std::vector<const Finding*>& findings) {
  std::vector<std::string> names;
  for (const Finding* finding : findings) {
    std::string name{name_of(finding->interface)};
    if (finding->against && finding->against != finding->interface) {
      name += "/" + std::string{name_of(*finding->against)};
    }
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ",") + name;
  return text;
}

std::string defects_of(const std::vector<const Finding*>& findings) {
  std::vector<std::string> ids;
  for (const Finding* finding : findings) {
    const std::string id = finding->defect ? printable(*finding->defect) : "?";
    if (std::find(ids.begin(), ids.end(), id) == ids.end()) ids.push_back(id);
  }
  std::string text;
  for (const std::string& id : ids) text += (text.empty() ? "" : ",") + id;
  return text;
}

void write_findings(std::ostream& out, const AuditReport& report, const TextStyle& style) {
  Rows rows = rows_of(report, Verdict::finding);
  if (rows.empty()) return;
  const auto weight = [](const ProcessReport* process) {
    const auto findings = by_weight(*process);
    return findings.empty() ? 0 : findings.front()->error_bytes;
  };
  std::stable_sort(rows.begin(), rows.end(), [&](const auto* left, const auto* right) {
    return weight(left) > weight(right);
  });
  out << title("FINDINGS", Colour::red, style) << ": a number that users read is wrong\n"
      << pad_left("PID", kPidColumns) << "  " << pad_right("COMMAND", kCommColumns)
      << pad_left("REPORTED", kBytesColumns) << pad_left("TRUE", kBytesColumns)
      << pad_left("ERROR", kBytesColumns) << " DEFECT, WRONG\n";
  for (const ProcessReport* process : rows) {
    const std::vector<const Finding*> findings = by_weight(*process);
    if (findings.empty()) continue;
    const Finding& worst = *findings.front();
    const std::string sign = worst.direction == Direction::deficit ? "-" : "+";
    const std::string line = head_of(*process) + bytes_cell(worst.reported_bytes) +
                             bytes_cell(worst.expected.low) +
                             pad_left(sign + bytes_text(worst.error_bytes), kBytesColumns) + " ";
    const std::size_t used = display_columns(line);
    const std::string who = defects_of(findings) + " " + accused(findings);
    out << line << fit_columns(who, style.columns > used ? style.columns - used : 10) << '\n';
  }
  out << '\n';
}

void write_inconclusive(std::ostream& out, const AuditReport& report, const TextStyle& style) {
  Rows rows = rows_of(report, Verdict::inconclusive);
  if (rows.empty()) return;
  std::stable_sort(rows.begin(), rows.end(), [](const auto* left, const auto* right) {
    return left->open_bytes > right->open_bytes;
  });
  out << title("INCONCLUSIVE", Colour::yellow, style) << ": more than 2 MiB could hide an error\n"
      << pad_left("PID", kPidColumns) << "  " << pad_right("COMMAND", kCommColumns)
      << pad_left("OPEN", kBytesColumns) << pad_left("AUDITED", kBytesColumns) << "  REASON\n";
  const std::size_t shown = style.verbose ? rows.size() : std::min(rows.size(), kWorstInconclusive);
  for (std::size_t i = 0; i < shown; ++i) {
    const bool ended = rows[i]->truth.has_value();
    const std::string line =
        head_of(*rows[i]) + bytes_cell(ended ? std::optional{rows[i]->open_bytes} : std::nullopt) +
        bytes_cell(ended ? std::optional{rows[i]->audited_bytes} : std::nullopt) + "  ";
    const std::size_t used = display_columns(line);
    out << line
        << fit_columns(printable(rows[i]->reason), style.columns > used ? style.columns - used : 10)
        << '\n';
  }
  std::map<std::string, std::uint64_t> hidden;
  for (std::size_t i = shown; i < rows.size(); ++i) ++hidden[printable(rows[i]->reason)];
  if (!hidden.empty()) {
    std::string text = "and " + std::to_string(rows.size() - shown) + " more:";
    for (const auto& [reason, count] : hidden)
      text += " " + std::to_string(count) + " " + reason + ",";
    text.pop_back();
    for (const std::string& line : wrap(text, style.columns - 10))
      out << "          " << line << '\n';
  }
  out << '\n';
}

void write_consistent(std::ostream& out, const AuditReport& report, const TextStyle& style) {
  const Rows rows = rows_of(report, Verdict::consistent);
  const bool worth_it = style.verbose || report.processes.size() <= kListAllUpTo;
  if (rows.empty() || !worth_it) return;
  out << title("CONSISTENT", Colour::green, style) << '\n'
      << pad_left("PID", kPidColumns) << "  " << pad_right("COMMAND", kCommColumns)
      << pad_left("REPORTED", kBytesColumns) << pad_left("TRUE", kBytesColumns) << '\n';
  for (const ProcessReport* process : rows) {
    out << head_of(*process) << bytes_cell(process->reported.rss_bytes);
    out << pad_left(process->truth ? interval_text(process->truth->rss) : "-", kBytesColumns)
        << '\n';
  }
  out << '\n';
}

// One line for each reason: "   312 denied      permission: The kernel does not let us …"
void write_unaudited(std::ostream& out, const AuditReport& report, const TextStyle& style) {
  std::map<std::pair<Verdict, std::string>, Rows> groups;
  for (const ProcessReport& process : report.processes) {
    const bool audited = process.verdict == Verdict::consistent ||
                         process.verdict == Verdict::finding ||
                         process.verdict == Verdict::inconclusive;
    if (!audited && !process.kernel_thread)
      groups[{process.verdict, process.reason}].push_back(&process);
  }
  if (groups.empty()) return;
  out << title("NOT AUDITED", Colour::bold, style) << '\n';
  for (const auto& [key, rows] : groups) {
    const ReasonText* const reason = find_reason(key.second);
    std::string text = printable(key.second);
    if (reason != nullptr) text += ": " + std::string{reason->meaning};
    const std::string line = pad_left(std::to_string(rows.size()), kPidColumns) + "  " +
                             pad_right(name_of(key.first), 10);
    out << line << fit_columns(text, style.columns - display_columns(line)) << '\n';
    if (!style.verbose) continue;
    for (const ProcessReport* process : rows) out << "          " << head_of(*process) << '\n';
  }
  out << '\n';
}

std::string note_claim(const HostNote& note) {
  const bool deficit = note.direction == Direction::deficit;
  const std::uint64_t bound = deficit ? note.processes_high.value_or(0) : note.processes_low;
  const std::string who = note.field == "FileHugePages" ? "all memory " : "processes ";
  return note.check + " " + note.field + " " +
         bytes_text(deficit ? note.counter.low : note.counter.high) + ", " + who +
         (deficit ? "at most " : "at least ") + bytes_text(bound);
}

// Id of a defect, or of the check where it is unknown → how many processes have such a note.
std::map<std::string, std::uint64_t> notes_of_processes(const AuditReport& report) {
  std::map<std::string, std::uint64_t> counts;
  for (const ProcessReport& process : report.processes) {
    std::set<std::string> ids;
    for (const Finding& note : process.notes) {
      ids.insert(printable(note.defect.value_or(note.check)));
    }
    for (const std::string& id : ids) ++counts[id];
  }
  return counts;
}

// One line each: what it is, where to read on. A single process has told its own above.
void write_notes(std::ostream& out, const AuditReport& report, const TextStyle& style) {
  std::map<std::string, std::uint64_t> of_processes;
  if (report.processes.size() != 1) of_processes = notes_of_processes(report);
  if (report.notes.empty() && of_processes.empty()) return;
  out << title("NOTES", Colour::bold, style) << ": what changes no verdict\n";
  for (const auto& [id, count] : of_processes) {
    out << "  " << note_summary(id, count, style.columns - 2) << '\n';
  }
  for (const HostNote& note : report.notes) {
    const std::string id = note.defects.size() == 1 ? note.defects.front() : note.check;
    std::string text = note_claim(note);
    if (!note.cgroup.empty()) text += " " + fit_path(printable(note.cgroup), 20);
    const std::string hint = " (explain " + id + ")";
    out << "  " << fit_columns(text, style.columns - 2 - hint.size()) << hint << '\n';
  }
  if (report.processes.size() != 1) out << '\n';
}

std::string tenths(double value) {
  std::array<char, 48> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value,
                                 std::chars_format::fixed, 1);
  return {digits.data(), end.ptr};
}

// Rounded down: 99.96% is not yet everything.
std::string percent(double share) {
  const double down = static_cast<double>(static_cast<std::uint64_t>(share * 1000)) / 10;
  return tenths(down) + "%";
}

void write_summary(std::ostream& out, const AuditReport& report, const TextStyle& style) {
  const Summary& summary = report.summary;
  std::string text =
      std::to_string(summary.audited) + " audited: " + counted(summary.finding, "finding") + ", " +
      std::to_string(summary.inconclusive) + " inconclusive, " +
      std::to_string(summary.consistent) + " consistent; coverage " + percent(summary.coverage()) +
      ". Not audited: " + std::to_string(summary.denied) + " denied, " +
      std::to_string(summary.vanished) + " vanished, " + std::to_string(summary.skipped) +
      " skipped, " + counted(summary.kernel_threads, "kernel thread") + ".";
  const bool clean = summary.inconclusive == 0 && summary.denied == 0;
  const Colour colour = summary.finding != 0 ? Colour::red : clean ? Colour::green : Colour::yellow;
  const std::string word = summary.finding != 0 ? "FINDING" : clean ? "CLEAN" : "SUMMARY";
  const std::string kernel = report.host.kernel_release.empty()
                                 ? "unknown kernel"
                                 : "Linux " + printable(report.host.kernel_release);
  text +=
      " " + kernel + ", " + tenths(std::chrono::duration<double>(report.duration).count()) + " s.";
  const std::string head = paint(word, colour, style.colour) + "  ";
  for (const std::string& line : hanging(head, word.size() + 2, text, style.columns)) {
    out << line << '\n';
  }
}

}  // namespace

void write_text(std::ostream& out, const AuditReport& report, const TextStyle& style) {
  constexpr unsigned kNarrowest = 60;
  TextStyle safe = style;
  safe.columns = std::max(style.columns, kNarrowest);
  if (report.processes.size() == 1) {
    write_process_text(out, report.processes.front(), style);
    write_notes(out, report, safe);
    return;
  }
  write_findings(out, report, safe);
  write_inconclusive(out, report, safe);
  write_consistent(out, report, safe);
  write_unaudited(out, report, safe);
  write_notes(out, report, safe);
  write_summary(out, report, safe);
}

}  // namespace smaps_audit
