// SPDX-License-Identifier: Apache-2.0
// Whole outputs against tests/golden/. SMAPS_AUDIT_UPDATE_GOLDEN=1 writes them anew: read the diff.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "sample_reports.h"

namespace smaps_audit {
namespace {

void expect_golden(const std::string& name, const std::string& actual) {
  const std::string path = std::string{SMAPS_AUDIT_GOLDEN_DIR} + "/" + name;
  if (std::getenv("SMAPS_AUDIT_UPDATE_GOLDEN") != nullptr) {
    std::ofstream{path, std::ios::binary} << actual;
    GTEST_SKIP() << path << " was written anew";
  }
  std::ifstream file{path, std::ios::binary};
  ASSERT_TRUE(file.good()) << path << " is missing";
  std::ostringstream expected;
  expected << file.rdbuf();
  EXPECT_EQ(expected.str(), actual) << "SMAPS_AUDIT_UPDATE_GOLDEN=1 updates " << path;
}

std::string text_of(const AuditReport& report, const TextStyle& style = {}) {
  std::ostringstream out;
  write_text(out, report, style);
  return out.str();
}

TEST(Golden, TextOfK01ByMprotect) {
  expect_golden("k01-mprotect.txt", text_of(samples::report_of({samples::k01_by_mprotect()})));
}

TEST(Golden, TextOfK01ByHintsWithManyVmas) {
  expect_golden("k01-numa-hint.txt",
                text_of(samples::report_of({samples::k01_by_hints_with_many_vmas()})));
}

TEST(Golden, TextOfK03) { expect_golden("k03.txt", text_of(samples::report_of({samples::k03()}))); }

TEST(Golden, TextOfAnUndecidedPair) {
  expect_golden("undecided-pair.txt", text_of(samples::report_of({samples::undecided_pair()})));
}

TEST(Golden, TextOfAnUnknownExcess) {
  expect_golden("unknown-excess.txt", text_of(samples::report_of({samples::unknown_excess()})));
}

TEST(Golden, TextOfAConsistentProcess) {
  expect_golden("consistent.txt", text_of(samples::report_of({samples::consistent()})));
}

TEST(Golden, TextOfAConsistentProcessWithNotes) {
  expect_golden("consistent-with-notes.txt",
                text_of(samples::report_of({samples::consistent_with_notes()})));
}

TEST(Golden, TextOfHostNotes) {
  AuditReport report = samples::report_of(
      {samples::consistent(), samples::denied(), samples::consistent_with_notes()});
  report.notes = {samples::host_note(), samples::cgroup_note()};
  expect_golden("host-notes.txt", text_of(report));
}

TEST(Golden, TextOfAnInconclusiveProcess) {
  expect_golden("inconclusive.txt", text_of(samples::report_of({samples::inconclusive()})));
}

TEST(Golden, TextOfADeniedProcess) {
  expect_golden("denied.txt", text_of(samples::report_of({samples::denied()})));
}

TEST(Golden, TextOfAWholeHost) { expect_golden("whole-host.txt", text_of(samples::whole_host())); }

TEST(Golden, TextOfAFewProcessesInColour) {
  expect_golden("few-in-colour.txt",
                text_of(samples::report_of({samples::k01_by_mprotect(), samples::consistent(),
                                            samples::inconclusive(), samples::denied()}),
                        {.colour = true, .columns = 100}));
}

TEST(Golden, JsonOfAllKinds) {
  std::ostringstream out;
  AuditReport report =
      samples::report_of({samples::k01_by_mprotect(), samples::undecided_pair(),
                          samples::inconclusive(), samples::denied(), samples::vanished(),
                          samples::kernel_thread(), samples::consistent_with_notes()});
  report.notes = {samples::host_note(), samples::cgroup_note()};
  report.notes.back().processes_high.reset();
  write_json(out, report);
  expect_golden("all-kinds.json", out.str());
}

}  // namespace
}  // namespace smaps_audit
