// SPDX-License-Identifier: Apache-2.0
#include "probes/gate.h"

#include <gtest/gtest.h>

#include <vector>

namespace smaps_audit::probes {
namespace {

ProbeResult result_of(const char* probe, Outcome outcome, const char* defect = nullptr) {
  ProbeResult result;
  result.probe = probe;
  result.answer.outcome = outcome;
  if (defect != nullptr) result.answer.defects = {{defect, true, "seen"}};
  return result;
}

ProbeVerdict verdict(const std::vector<ProbeResult>& results, bool gate) {
  HostInfo host;
  host.kernel_release = "6.1.0-test";
  return verdict_of(results, make_card(results, host, {}), gate);
}

TEST(ProbeGate, StopsForAWrongNumberAndForLostData) {
  for (const char* const id : {"K01", "K03", "K15"}) {
    const ProbeVerdict said = verdict({result_of("thp-dirty", Outcome::fail, id)}, true);
    EXPECT_EQ(said.outcome, Outcome::fail) << id;
    EXPECT_NE(said.line.find(id), std::string::npos) << said.line;
    EXPECT_EQ(said.line.find('\n'), std::string::npos);
  }
}

TEST(ProbeGate, LetsImprecisionPassThatTheWholeRunFails) {
  const std::vector<ProbeResult> results{result_of("counter-slack", Outcome::fail, "K05"),
                                         result_of("control", Outcome::pass)};
  EXPECT_EQ(verdict(results, true).outcome, Outcome::pass);
  EXPECT_EQ(verdict(results, false).outcome, Outcome::fail);
  EXPECT_NE(verdict(results, true).line.find("notes: K05"), std::string::npos);
}

TEST(ProbeGate, StopsForAMisbehaviourWithoutAName) {
  const ProbeVerdict said = verdict({result_of("control", Outcome::fail)}, true);
  EXPECT_EQ(said.outcome, Outcome::fail);
  EXPECT_NE(said.line.find("unknown misbehaviour: control"), std::string::npos) << said.line;
}

TEST(ProbeGate, IsInconclusiveWithoutAFailure) {
  const std::vector<ProbeResult> results{result_of("control", Outcome::pass),
                                         result_of("thp-dirty", Outcome::inconclusive)};
  EXPECT_EQ(verdict(results, true).outcome, Outcome::inconclusive);
  EXPECT_NE(verdict(results, true).line.find("thp-dirty"), std::string::npos);
}

TEST(ProbeGate, SaysWhereNothingCouldRun) {
  EXPECT_EQ(verdict({result_of("kvm-fault", Outcome::skipped)}, true).outcome, Outcome::skipped);
  EXPECT_EQ(verdict({}, false).outcome, Outcome::skipped);
}

}  // namespace
}  // namespace smaps_audit::probes
