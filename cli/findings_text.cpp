// SPDX-License-Identifier: Apache-2.0
#include "cli/findings_text.h"

#include <algorithm>
#include <ostream>

#include "report/printable.h"
#include "report/process_json.h"
#include "report/text_finding.h"
#include "report/text_layout.h"

namespace smaps_audit {
namespace {

using store::StoredFinding;

constexpr std::size_t kLabelColumns = 12;

std::string process_name(const StoredFinding& finding) {
  const std::string pid = std::to_string(finding.key.process.pid);
  return finding.comm.empty() ? pid : pid + " " + printable(finding.comm);
}

std::string number_name(const StoredFinding& finding) {
  return std::string{name_of(finding.key.interface)} + " " + printable(finding.key.field);
}

std::string signed_bytes(const StoredFinding& finding) {
  return (finding.direction == Direction::deficit ? "-" : "+") + bytes_text(finding.error_bytes);
}

struct Column {
  std::string_view heading;
  std::size_t columns;
  bool right = false;
};

// "Process" is last but one in width: it takes what the others leave.
constexpr std::size_t kProcessColumn = 2;
constexpr Column kColumns[] = {{"ID", 5, true},   {"State", 8},        {"Process", 0},
                               {"Number", 16},    {"Error", 10, true}, {"Defect", 6},
                               {"Seen", 5, true}, {"Last (UTC)", 11}};

std::string table_line(const std::vector<std::string>& cells, std::size_t process_columns) {
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const std::size_t width = i == kProcessColumn ? process_columns : kColumns[i].columns;
    const std::string cell = fit_columns(cells[i], std::max(width, std::size_t{4}));
    line += line.empty() ? "" : " ";
    line += kColumns[i].right ? pad_left(cell, width) : pad_right(cell, width);
  }
  return line.substr(0, line.find_last_not_of(' ') + 1);
}

// Ids can grow wide; nothing of them is cut.
std::string id_text(const StoredFinding& finding) { return std::to_string(finding.id); }

Finding as_finding(const StoredFinding& stored) {
  Finding finding;
  finding.check = stored.key.check;
  finding.direction = stored.direction;
  finding.field = stored.key.field;
  finding.interface = stored.key.interface;
  finding.against = stored.against;
  finding.reported_bytes = stored.reported_bytes;
  finding.expected = stored.expected;
  finding.error_bytes = stored.error_bytes;
  finding.exact = stored.exact;
  finding.brackets = stored.brackets;
  finding.basis = stored.basis;
  finding.defect = stored.defect;
  finding.cause = stored.cause;
  return finding;
}

class Page {
 public:
  Page(std::ostream& out, const TextStyle& style) : out_(out), style_(style) {}

  void line(const std::string& text) { out_ << text << '\n'; }
  void row(std::string_view label, const std::string& text) {
    const std::string head = pad_right("  " + std::string{label}, kLabelColumns);
    for (const std::string& part : hanging(head, kLabelColumns, text, style_.columns)) line(part);
  }
  // For a shell: never broken.
  void whole(std::string_view label, const std::string& text) {
    line(pad_right("  " + std::string{label}, kLabelColumns) + text);
  }

 private:
  std::ostream& out_;
  const TextStyle& style_;
};

std::string seen_text(const StoredFinding& finding) {
  std::string text = counted(finding.times_seen, "time") + ", first " +
                     store::time_text(finding.first_seen) + ", last " +
                     store::time_text(finding.last_seen);
  if (finding.least_error_bytes != finding.worst_error_bytes) {
    text += "; the error was " + bytes_text(finding.least_error_bytes) + " to " +
            bytes_text(finding.worst_error_bytes);
  }
  return text + ".";
}

std::string process_text(const StoredFinding& finding) {
  std::string text = "pid " + std::to_string(finding.key.process.pid) + ", started at tick " +
                     std::to_string(finding.key.process.start_time_ticks) + " of boot " +
                     printable(finding.key.process.boot_id);
  if (finding.executable) text += ", " + printable(*finding.executable);
  return text + ".";
}

std::string wrong_sentence(const StoredFinding& finding) {
  const std::string expected = interval_text(finding.expected);
  return number_name(finding) + " " + bytes_text(finding.reported_bytes) + " where " + expected +
         " is right (check " + printable(finding.key.check) + ").";
}

void write_what_to_do(Page& page, const StoredFinding& stored, const Finding& finding) {
  if (!stored.defect && stored.capture) {
    page.row("To do", "Report it, with the capture: no known defect explains it.");
    return;
  }
  std::string_view label = "To do";
  for (const std::string& sentence : advice(finding, stored.key.process.pid)) {
    page.row(label, sentence);
    label = "";
  }
  if (stored.defect) {
    page.whole("More", "smaps-audit explain " + printable(*stored.defect));
  }
}

// Defect and advice stand above.
void write_report(std::ostream& out, const std::string& json, TextStyle style) {
  style.advice = false;
  Result<ProcessReport> process = process_from_json(json);
  out << '\n';
  if (!process) {
    out << "The audit that saw it last cannot be read: " << printable(process.error().message())
        << '\n';
    return;
  }
  AuditReport report;
  report.summary.count(*process);
  report.processes.push_back(*std::move(process));
  out << "The audit that saw it last:\n";
  write_text(out, report, style);
}

}  // namespace

void write_findings_table(std::ostream& out, const std::vector<StoredFinding>& findings,
                          std::size_t in_store, const TextStyle& style) {
  std::size_t fixed = std::size(kColumns) - 1;
  for (const Column& column : kColumns) fixed += column.columns;
  const std::size_t process_columns =
      std::clamp<std::size_t>(style.columns > fixed ? style.columns - fixed : 0, 8, 24);
  if (!findings.empty()) {
    std::vector<std::string> headings;
    for (const Column& column : kColumns) headings.emplace_back(column.heading);
    out << paint(table_line(headings, process_columns), Colour::dim, style.colour) << '\n';
  }
  std::size_t open = 0;
  for (const StoredFinding& row : findings) {
    open += row.open() ? 1U : 0U;
    const std::string line =
        table_line({id_text(row), row.open() ? "open" : "resolved", process_name(row),
                    number_name(row), signed_bytes(row), row.defect ? printable(*row.defect) : "-",
                    std::to_string(row.times_seen), store::short_time(row.last_seen)},
                   process_columns);
    out << paint(line, row.open() ? Colour::red : Colour::none, style.colour) << '\n';
  }
  if (!findings.empty()) out << '\n';
  out << counted(open, "open finding") << " of " << in_store << " in the store.";
  if (findings.size() < in_store) out << " --all lists those that are resolved.";
  out << '\n';
  if (!findings.empty()) out << "smaps-audit findings show ID tells all of one.\n";
}

void write_stored_finding(std::ostream& out, const StoredFinding& stored,
                          const std::optional<std::string>& capture_path,
                          const std::optional<std::string>& report, const TextStyle& style) {
  TextStyle safe = style;
  constexpr unsigned kNarrowest = 40;
  safe.columns = std::max(style.columns, kNarrowest);
  const Finding finding = as_finding(stored);
  Page page{out, safe};
  const std::string state = stored.open() ? "open" : "resolved";
  page.line("Finding " + std::to_string(stored.id) + ", " +
            paint(state, stored.open() ? Colour::red : Colour::green, safe.colour) + ": " +
            printable(stored.comm) + ": " + number_name(stored) + ", " + error_text(finding));
  page.row("Wrong", wrong_sentence(stored));
  if (stored.against) {
    page.row("", std::string{name_of(*stored.against)} +
                     " contradicts it, and nothing else decides between the two.");
  }
  if (stored.true_rss) page.row("True Rss", interval_text(*stored.true_rss) + " in all.");
  if (stored.true_pss) page.row("True Pss", interval_text(*stored.true_pss) + " in all.");
  page.row("Sure", basis_text(finding));
  page.row("Seen", seen_text(stored));
  if (stored.resolved) {
    page.row("Resolved", store::time_text(stored.resolved->when) + ": " +
                             std::string{store::describe(stored.resolved->why)} + ".");
  }
  page.row("Process", process_text(stored));
  if (!stored.group.empty()) page.row("Group", printable(stored.group));
  page.row("Kernel", printable(stored.kernel_release) + "; audited by smaps-audit " +
                         printable(stored.tool_version) + ".");
  page.row("Defect", defect_text(finding));
  write_what_to_do(page, stored, finding);
  if (capture_path) {
    page.whole("Capture",
               printable(*capture_path) + " (" + bytes_text(stored.capture->bytes) + ")");
    page.whole("Replay", "smaps-audit replay " + printable(*capture_path));
  } else {
    page.row("Capture", "none was kept.");
  }
  if (report) write_report(out, *report, safe);
}

}  // namespace smaps_audit
