// SPDX-License-Identifier: Apache-2.0
#include "probes/probe.h"

#include <algorithm>
#include <array>

#include "base/find_named.h"

namespace smaps_audit::probes {
namespace {

std::optional<std::int64_t> look_up(const std::map<std::string, std::int64_t, std::less<>>& facts,
                                    std::string_view name) {
  const auto found = facts.find(name);
  return found == facts.end() ? std::nullopt : std::optional{found->second};
}

}  // namespace

std::string_view name_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::pass: return "pass";
    case Outcome::fail: return "fail";
    case Outcome::inconclusive: return "inconclusive";
    case Outcome::skipped: return "skipped";
  }
  return "unknown";
}

Outcome outcome_of(std::string_view name) {
  constexpr std::array kOutcomes{Outcome::pass, Outcome::fail, Outcome::skipped};
  return find_named(kOutcomes, name).value_or(Outcome::inconclusive);
}

std::optional<std::int64_t> Observation::fact(std::string_view name) const {
  return look_up(facts, name);
}

std::optional<std::int64_t> Trial::fact(std::string_view name) const {
  return look_up(facts, name);
}

const Observation* Trial::find(std::string_view state) const {
  const auto found =
      std::find_if(observations.begin(), observations.end(),
                   [state](const Observation& observation) { return observation.state == state; });
  return found == observations.end() ? nullptr : &*found;
}

std::vector<std::string> Answer::present_defects() const {
  std::vector<std::string> ids;
  for (const DefectSeen& defect : defects) {
    if (defect.present) ids.push_back(defect.id);
  }
  return ids;
}

}  // namespace smaps_audit::probes
