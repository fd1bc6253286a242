// SPDX-License-Identifier: Apache-2.0
#include "report/text_finding.h"

#include <algorithm>

#include "config/known_defects.h"
#include "report/printable.h"
#include "report/text_layout.h"

namespace smaps_audit {
namespace {

bool is_total_rss(const Finding& finding) {
  switch (finding.interface) {
    case Interface::smaps:
    case Interface::smaps_rollup: return finding.field == "Rss";
    case Interface::status: return finding.field == "VmRSS";
    case Interface::numa_maps: return finding.field == "N*";
    case Interface::pagemap:
    case Interface::pagemap_scan:
    case Interface::statm: return false;
  }
  return false;
}

std::optional<std::uint64_t> total_of(const ProcessReport& process, Interface interface) {
  switch (interface) {
    case Interface::smaps: return process.reported.rss_bytes;
    case Interface::smaps_rollup: return process.reported.rollup_rss_bytes;
    case Interface::numa_maps: return process.reported.numa_maps_bytes;
    case Interface::status: return process.reported.status_rss_bytes;
    case Interface::pagemap:
    case Interface::pagemap_scan:
    case Interface::statm: return std::nullopt;
  }
  return std::nullopt;
}

std::string field_text(const Finding& finding) {
  return finding.field == "N*" ? "pages" : printable(finding.field);
}

std::string with_hint(std::string_view text, const std::string& id, std::size_t columns) {
  const std::string hint = " (explain " + id + ")";
  return fit_columns(text, columns > hint.size() ? columns - hint.size() : 0) + hint;
}

}  // namespace

std::vector<const Finding*> by_weight(const ProcessReport& process) {
  std::vector<const Finding*> findings;
  findings.reserve(process.findings.size());
  for (const Finding& finding : process.findings) findings.push_back(&finding);
  std::stable_sort(findings.begin(), findings.end(), [](const Finding* left, const Finding* right) {
    if (left->error_bytes != right->error_bytes) return left->error_bytes > right->error_bytes;
    return left->interface < right->interface;
  });
  return findings;
}

bool varies(const Finding& finding) {
  const KnownDefect* const defect = finding.defect ? find_known_defect(*finding.defect) : nullptr;
  return defect != nullptr && defect->signature.varies;
}

std::string note_text(const Finding& note, std::size_t columns) {
  const std::string id = printable(note.defect.value_or(note.check));
  const KnownDefect* const defect = find_known_defect(id);
  std::string text = id + ": " + std::string{name_of(note.interface)} + " " + field_text(note) +
                     " " + error_text(note);
  if (defect != nullptr) text += ": " + defect->title;
  return with_hint(text, id, columns);
}

std::string note_summary(const std::string& id, std::uint64_t processes, std::size_t columns) {
  const KnownDefect* const defect = find_known_defect(id);
  std::string text = id + " in " + counted(processes, "process", "es");
  if (defect != nullptr) text += ": " + defect->title;
  return with_hint(text, id, columns);
}

std::string claim_text(const ProcessReport& process, const Finding& finding) {
  if (varies(finding)) {
    return std::string{name_of(finding.interface)} + " says " + field_text(finding) + " " +
           bytes_text(finding.reported_bytes) + ", true at least " +
           bytes_text(finding.expected.low);
  }
  std::uint64_t reported = finding.reported_bytes;
  Interval expected = finding.expected;
  const std::optional<std::uint64_t> total = total_of(process, finding.interface);
  if (is_total_rss(finding) && total && process.truth) {
    reported = *total;
    expected = process.truth->rss;
  }
  std::string who{name_of(finding.interface)};
  if (finding.against && finding.against != finding.interface) {
    who += "/" + std::string{name_of(*finding.against)};
  }
  return who + " says " + field_text(finding) + " " + bytes_text(reported) + ", true " +
         interval_text(expected);
}

std::string error_text(const Finding& finding) {
  return (finding.exact ? "" : "at least ") + bytes_text(finding.error_bytes) +
         (finding.direction == Direction::deficit ? " missing" : " too much");
}

namespace {

std::string disputed_text(const Finding& finding) {
  if (finding.against == finding.interface) {
    return std::string{name_of(finding.interface)} + " contradicts itself by " +
           bytes_text(finding.error_bytes) + ": " + field_text(finding) + " does not hold (check " +
           printable(finding.check) + "), and nothing decides which number is wrong";
  }
  return std::string{name_of(finding.interface)} + " and " +
         std::string{name_of(*finding.against)} + " contradict each other by " +
         bytes_text(finding.error_bytes) + ", and nothing decides between them";
}

bool same_claim(const Finding& a, const Finding& b) {
  return a.interface == b.interface && a.direction == b.direction && a.against == b.against &&
         a.error_bytes == b.error_bytes && a.defect == b.defect;
}

}  // namespace

/// Fields that are wrong by the same amount are told together.
std::string wrong_text(const std::vector<const Finding*>& findings) {
  std::string text;
  std::vector<bool> told(findings.size(), false);
  for (std::size_t i = 0; i < findings.size(); ++i) {
    if (told[i]) continue;
    const Finding& finding = *findings[i];
    if (!text.empty()) text += "; ";
    if (finding.against) {
      text += disputed_text(finding);
      continue;
    }
    const std::string who{name_of(finding.interface)};
    const std::string amount =
        (varies(finding) ? "at least " : "") + bytes_text(finding.error_bytes);
    text += finding.direction == Direction::deficit ? who + " leaves " + amount + " out of "
                                                    : who + " counts " + amount + " too much in ";
    text += field_text(finding);
    for (std::size_t j = i + 1; j < findings.size(); ++j) {
      if (told[j] || !same_claim(finding, *findings[j])) continue;
      told[j] = true;
      text += ", " + field_text(*findings[j]);
    }
    text += " (check " + printable(finding.check) + ")";
  }
  return text + ".";
}

std::string basis_text(const Finding& finding) {
  const std::string reads = counted(finding.brackets, "independent read");
  std::string text;
  switch (finding.basis) {
    case Basis::asleep: text = reads + " while the process provably slept"; break;
    case Basis::series:
      text = reads + " at random moments, each contradicted by the page walks around it";
      break;
    case Basis::same_record:
      text = "numbers of one record contradict each other, in " + reads;
      break;
    case Basis::frozen: text = reads + " while the process was stopped (--freeze)"; break;
  }
  return text + (finding.exact ? "; the error is exact." : "; the error is a lower bound.");
}

std::string cause_text(Cause cause) {
  switch (cause) {
    case Cause::mprotect: return "mprotect(PROT_NONE)";
    case Cause::numa_hint: return "NUMA balancing hint";
  }
  return "unknown";
}

std::string defect_text(const Finding& finding) {
  if (!finding.defect) return "unknown: no known defect of the kernel behaves like this";
  const KnownDefect* const defect = find_known_defect(*finding.defect);
  std::string text = printable(*finding.defect);
  if (finding.cause) text += " by " + cause_text(*finding.cause);
  if (defect != nullptr) text += ": " + defect->title;
  return text;
}

std::vector<std::string> advice(const Finding& finding, int pid) {
  if (finding.defect) {
    const KnownDefect* const defect = find_known_defect(*finding.defect);
    return defect == nullptr ? std::vector<std::string>{} : defect->what_to_do;
  }
  return {"Keep the evidence and report it: smaps-audit capture " + std::to_string(pid) +
          " -o evidence.cap"};
}

}  // namespace smaps_audit
