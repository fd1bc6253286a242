// SPDX-License-Identifier: Apache-2.0
#include "cli/explain.h"

#include <ostream>

#include "audit/checks.h"
#include "cli/exit_code.h"
#include "cli/render.h"
#include "config/known_defects.h"
#include "report/printable.h"
#include "report/reasons.h"
#include "report/text_layout.h"

namespace smaps_audit {
namespace {

void write_wrapped(std::ostream& out, std::string_view label, std::string_view text,
                   const TextStyle& style) {
  constexpr std::size_t kLabel = 10;
  const std::vector<std::string> lines = wrap(text, style.columns - kLabel);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    out << pad_right(i == 0 ? "  " + std::string{label} : "", kLabel) << lines[i] << '\n';
  }
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

void explain_defect(std::ostream& out, const KnownDefect& defect, const TextStyle& style) {
  const DefectSignature& signature = defect.signature;
  out << defect.id << ": " << defect.title << '\n';
  write_wrapped(out, "Kernels", defect.versions + ".", style);
  write_wrapped(out, "Class",
                defect.defect_class == DefectClass::finding
                    ? "a finding: a number that users read is wrong."
                    : "a note: no Rss or Pss depends on it.",
                style);
  std::string signs = joined(signature.interfaces) + ": " + signature.direction;
  signs += " in multiples of " + bytes_text(signature.granule_bytes);
  signs += ", contradicted by " + joined(signature.sided_by) + ".";
  write_wrapped(out, "Signs", signs, style);
  for (const std::string& sentence : defect.what_to_do) {
    write_wrapped(out, &sentence == &defect.what_to_do.front() ? "To do" : "", sentence, style);
  }
  for (const std::string& link : defect.links) {
    write_wrapped(out, &link == &defect.links.front() ? "See" : "", link, style);
  }
}

void explain_check(std::ostream& out, const CheckText& check, const TextStyle& style) {
  out << check.id << ": a relation that holds on every correct kernel\n";
  write_wrapped(out, "Says", check.relation, style);
  write_wrapped(out, "Needs", check.witnesses, style);
  write_wrapped(out, "Else", check.without, style);
  write_wrapped(out, "Except", check.exceptions, style);
  write_wrapped(out, "Proof", check.confirmed, style);
}

void explain_reason(std::ostream& out, const ReasonText& reason, const TextStyle& style) {
  out << reason.word << ": why a process got no conclusive verdict\n";
  write_wrapped(out, "Means", reason.meaning, style);
  write_wrapped(out, "Help", reason.help, style);
}

std::string upper(std::string_view text) {
  std::string result{text};
  for (char& letter : result) {
    if (letter >= 'a' && letter <= 'z') letter = static_cast<char>(letter - 'a' + 'A');
  }
  return result;
}

bool explain_one(std::ostream& out, const std::string& id, const TextStyle& style) {
  if (const KnownDefect* const defect = find_known_defect(upper(id)); defect != nullptr) {
    explain_defect(out, *defect, style);
    return true;
  }
  if (const CheckText* const check = find_check(upper(id)); check != nullptr) {
    explain_check(out, *check, style);
    return true;
  }
  const ReasonText* const reason = find_reason(id);
  if (reason != nullptr) explain_reason(out, *reason, style);
  return reason != nullptr;
}

void list_all(std::ostream& out, const TextStyle& style) {
  out << "Known defects of the kernel\n";
  for (const KnownDefect& defect : known_defects())
    write_wrapped(out, defect.id, defect.title, style);
  out << "Checks\n";
  for (const CheckText& check : check_texts()) write_wrapped(out, check.id, check.relation, style);
  out << "Reasons\n";
  std::string words;
  for (const ReasonText& reason : reason_texts()) words += std::string{reason.word} + " ";
  write_wrapped(out, "", words, style);
}

}  // namespace

int run_explain(const ExplainOptions& options, CliEnvironment& environment) {
  Result<Output> output = Output::open(options.common.output, environment.out);
  if (!output) return complain(environment, output.error(), kExitCannotRun);
  const TextStyle style = style_for(environment, options.common, *output);
  if (options.ids.empty()) list_all(output->stream(), style);
  for (const std::string& id : options.ids) {
    if (explain_one(output->stream(), id, style)) continue;
    return complain(environment,
                    Error{.code = ErrorCode::usage,
                          .what = "nothing is known of \"" + id +
                                  "\"; smaps-audit explain lists what there is"},
                    kExitUsage);
  }
  return finish_output(*output, environment, kExitClean);
}

}  // namespace smaps_audit
