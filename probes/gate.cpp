// SPDX-License-Identifier: Apache-2.0
#include "probes/gate.h"

#include <algorithm>
#include <vector>

namespace smaps_audit::probes {
namespace {

bool is_finding(std::string_view id) { return class_of(id) == DefectClass::finding; }

/// Does this failure stop a rollout?
bool is_grave(const ProbeResult& result) {
  if (result.answer.outcome != Outcome::fail) return false;
  const std::vector<std::string> ids = result.answer.present_defects();
  return ids.empty() || std::any_of(ids.begin(), ids.end(), is_finding);
}

struct Tally {
  std::size_t passed = 0;
  std::size_t inconclusive = 0;
  std::size_t skipped = 0;
  std::size_t failed = 0;
  std::size_t grave = 0;
  std::string undecided;  ///< names
  std::string nameless;   ///< probes that failed without the name of a defect
};

Tally count(std::span<const ProbeResult> results) {
  Tally tally;
  for (const ProbeResult& result : results) {
    switch (result.answer.outcome) {
      case Outcome::pass: ++tally.passed; break;
      case Outcome::fail:
        ++tally.failed;
        if (is_grave(result)) ++tally.grave;
        if (result.answer.present_defects().empty()) tally.nameless += " " + result.probe;
        break;
      case Outcome::inconclusive:
        ++tally.inconclusive;
        tally.undecided += " " + result.probe;
        break;
      case Outcome::skipped: ++tally.skipped; break;
    }
  }
  return tally;
}

std::string ids_of(const BehaviourCard& card, DefectState state, DefectClass wanted) {
  std::string ids;
  for (const CardRow& row : card.defects) {
    const bool of_class = is_finding(row.id) == (wanted == DefectClass::finding);
    if (row.state == state && of_class) ids += (ids.empty() ? "" : " ") + row.id;
  }
  return ids;
}

std::string defects_text(const BehaviourCard& card, const Tally& tally) {
  const std::string wrong = ids_of(card, DefectState::present, DefectClass::finding);
  const std::string notes = ids_of(card, DefectState::present, DefectClass::note);
  const std::string absent = ids_of(card, DefectState::absent, DefectClass::finding);
  std::string text;
  const auto add = [&text](const std::string& part) { text += (text.empty() ? "" : "; ") + part; };
  if (!wrong.empty()) add("wrong numbers: " + wrong);
  if (!tally.nameless.empty()) add("unknown misbehaviour:" + tally.nameless);
  if (!absent.empty()) add("not there: " + absent);
  if (!notes.empty()) add("notes: " + notes);
  return text;
}

}  // namespace

ProbeVerdict verdict_of(std::span<const ProbeResult> results, const BehaviourCard& card,
                        bool gate) {
  const Tally tally = count(results);
  ProbeVerdict verdict;
  const std::size_t failures = gate ? tally.grave : tally.failed;
  const char* word = "CANNOT RUN";
  if (failures != 0) {
    verdict.outcome = Outcome::fail;
    word = "FAIL";
  } else if (tally.inconclusive != 0) {
    verdict.outcome = Outcome::inconclusive;
    word = "INCONCLUSIVE";
  } else if (tally.passed + tally.failed != 0) {
    verdict.outcome = Outcome::pass;
    word = "PASS";
  }
  verdict.line = std::string{gate ? "smaps-audit gate " : "smaps-audit probe "} + word +
                 ": Linux " + card.kernel_release;
  const std::string defects = defects_text(card, tally);
  if (!defects.empty()) verdict.line += ": " + defects;
  if (tally.inconclusive != 0) verdict.line += "; inconclusive:" + tally.undecided;
  verdict.line += " (" + std::to_string(tally.passed) + " passed, " + std::to_string(tally.failed) +
                  " failed, " + std::to_string(tally.inconclusive) + " inconclusive, " +
                  std::to_string(tally.skipped) + " skipped)";
  return verdict;
}

}  // namespace smaps_audit::probes
