// SPDX-License-Identifier: Apache-2.0
#include "probes/judge.h"

#include <algorithm>
#include <cstring>

namespace smaps_audit::probes {
namespace {

constexpr std::string_view kK01 = "K01";
constexpr std::uint64_t kPmdBytes = std::uint64_t{2} << 20;

struct RegionVerdict {
  std::vector<Witness> all;
  std::vector<Witness> wrong;
  [[nodiscard]] bool confirmed() const { return wrong.size() < all.size(); }
};

RegionVerdict compare(const RegionTruth& truth, const RegionMeasure& measure) {
  RegionVerdict verdict{.all = witnesses_of(measure), .wrong = {}};
  std::copy_if(verdict.all.begin(), verdict.all.end(), std::back_inserter(verdict.wrong),
               [&](const Witness& witness) { return witness.bytes != truth.resident_bytes; });
  return verdict;
}

std::string joined(const std::vector<Witness>& witnesses) {
  std::string text;
  for (const Witness& witness : witnesses) {
    text += (text.empty() ? "" : " and ") + std::string{witness.name};
  }
  return text;
}

/// smaps alone leaves whole huge pages out.
bool looks_like_k01(const RegionTruth& truth, const RegionVerdict& verdict) {
  if (verdict.wrong.size() != 1 || verdict.wrong[0].name != "smaps") return false;
  return verdict.wrong[0].bytes < truth.resident_bytes &&
         (truth.resident_bytes - verdict.wrong[0].bytes) % kPmdBytes == 0;
}

bool check_names(const Observation& observation, std::string_view defect) {
  if (!observation.audit) return true;
  const auto& findings = observation.audit->findings;
  return std::any_of(findings.begin(), findings.end(),
                     [&](const Finding& finding) { return finding.defect == defect; });
}

Answer accuse(const Observation& observation, const RegionTruth& truth,
              const RegionVerdict& verdict, Answer answer) {
  if (!verdict.confirmed()) {
    answer.reason = "no interface confirms what the child declares of \"" + truth.name +
                    "\": either it lies or all of them do";
    return answer;
  }
  if (!looks_like_k01(truth, verdict)) {
    answer.outcome = Outcome::fail;
    answer.reason = joined(verdict.wrong) + " contradicts what was touched and the others confirm";
    return answer;
  }
  // Without numa_maps `check` reports the same numbers, but names no defect.
  const bool nameless = observation.audit && !observation.audit->reported.numa_maps_bytes;
  if (!check_names(observation, kK01) && !nameless) {
    answer.reason = "smaps leaves huge pages out, but `check` does not confirm it";
    return answer;
  }
  answer.outcome = Outcome::fail;
  answer.reason = "smaps leaves out " + kib_text(truth.resident_bytes - verdict.wrong[0].bytes) +
                  " of huge pages";
  answer.defects = {{std::string{kK01}, true, answer.reason}};
  return answer;
}

}  // namespace

std::string kib_text(std::uint64_t bytes) { return std::to_string(bytes / 1024) + " kB"; }

std::vector<Witness> witnesses_of(const RegionMeasure& measure) {
  std::vector<Witness> witnesses;
  if (const auto rss = measure.smaps.bytes(SmapsField::rss)) witnesses.push_back({"smaps", *rss});
  if (measure.numa_bytes) witnesses.push_back({"numa_maps", *measure.numa_bytes});
  if (measure.present_bytes) witnesses.push_back({"pagemap", *measure.present_bytes});
  if (measure.scan_bytes) witnesses.push_back({"PAGEMAP_SCAN", *measure.scan_bytes});
  return witnesses;
}

std::string in_words(const std::vector<Witness>& witnesses) {
  std::string text;
  for (const Witness& witness : witnesses) {
    text += (text.empty() ? "" : ", ") + std::string{witness.name} + " " + kib_text(witness.bytes);
  }
  return text;
}

std::string in_words(const std::map<int, std::uint64_t>& move_status) {
  std::string text;
  for (const auto& [status, pages] : move_status) {
    text += (text.empty() ? "" : ", ") + std::to_string(pages) + " pages ";
    const char* const name = status < 0 ? ::strerrorname_np(-status) : nullptr;
    text += status >= 0 ? "on node " + std::to_string(status)
                        : (name == nullptr ? std::to_string(status) : std::string{name});
  }
  return text;
}

Answer inconclusive(std::string reason) {
  return {.outcome = Outcome::inconclusive,
          .reason = std::move(reason),
          .expected = {},
          .observed = {},
          .defects = {},
          .era = {}};
}

std::optional<std::string> broken_instrument(const Observation& observation) {
  if (observation.fact("faults_while_held").value_or(0) != 0) {
    return "the child took faults while it was held still";
  }
  for (std::size_t i = 0; i < observation.truths.size(); ++i) {
    const RegionTruth& truth = observation.truths[i];
    const RegionMeasure& measure = observation.measures[i];
    if (measure.vmas == 0)
      return "smaps shows no mapping where \"" + truth.name + "\" was declared";
    if (truth.role == Role::subject) continue;
    const RegionVerdict verdict = compare(truth, measure);
    if (!verdict.wrong.empty()) {
      return "the control \"" + truth.name + "\" should read " + kib_text(truth.resident_bytes) +
             ": " + in_words(verdict.all);
    }
  }
  return std::nullopt;
}

Answer judge_residency(const Observation& observation) {
  Answer answer = inconclusive("");
  for (std::size_t i = 0; i < observation.truths.size(); ++i) {
    const RegionTruth& truth = observation.truths[i];
    if (truth.role != Role::subject) continue;
    const std::string comma = answer.expected.empty() ? "" : "; ";
    answer.expected += comma + truth.name + " " + kib_text(truth.resident_bytes);
    answer.observed += comma + truth.name + " " + in_words(witnesses_of(observation.measures[i]));
  }
  if (const auto broken = broken_instrument(observation)) {
    answer.reason = *broken;
    return answer;
  }
  for (std::size_t i = 0; i < observation.truths.size(); ++i) {
    if (observation.truths[i].role != Role::subject) continue;
    const RegionVerdict verdict = compare(observation.truths[i], observation.measures[i]);
    if (!verdict.wrong.empty()) {
      return accuse(observation, observation.truths[i], verdict, std::move(answer));
    }
  }
  if (observation.audit && observation.audit->verdict == Verdict::finding) {
    answer.reason = "every region reads as declared, but `check` reports a finding";
    return answer;
  }
  answer.outcome = Outcome::pass;
  answer.reason = "all interfaces agree with what was touched";
  return answer;
}

Answer judge_residency(const Trial& trial, std::string_view state) {
  const Observation* const observation = trial.find(state);
  if (observation == nullptr) {
    return inconclusive("the child was never seen in the state \"" + std::string{state} + "\"");
  }
  return judge_residency(*observation);
}

Answer with_data_check(const Trial& trial, Answer answer) {
  const auto intact = trial.fact("data_intact");
  if (!intact) {
    if (answer.outcome != Outcome::fail) {
      answer.outcome = Outcome::inconclusive;
      answer.reason = "the child did not say whether its data is intact";
    }
  } else if (*intact == 0) {
    answer.outcome = Outcome::fail;
    answer.reason = "the data in the child's memory was damaged";
  }
  return answer;
}

}  // namespace smaps_audit::probes
