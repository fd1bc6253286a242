// SPDX-License-Identifier: Apache-2.0
#include "cli/check.h"

#include <gtest/gtest.h>

#include <csignal>
#include <nlohmann/json.hpp>

#include "cli_fixture.h"
#include "tests/support/temporary_directory.h"

namespace smaps_audit {
namespace {

class Check : public ::testing::Test, public CliFixture {
 protected:
  void all_are(Verdict verdict) {
    audit = [verdict](KernelView&, int pid, const AuditOptions&) {
      return report_with(pid, verdict);
    };
  }
};

TEST_F(Check, ExitsCleanWhereAllIsConsistent) {
  const CliRun run = CliFixture::run({"check", "--all"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_NE(run.out.find("2 consistent"), std::string::npos) << run.out;
}

TEST_F(Check, ExitsWithOneForAFinding) {
  all_are(Verdict::finding);
  EXPECT_EQ(CliFixture::run({"check", "7"}).exit_code, 1);
  EXPECT_EQ(CliFixture::run({"check", "--all"}).exit_code, 1);
}

TEST_F(Check, ExitsWithTwoForANamedProcessThatIsNotConclusive) {
  for (const Verdict verdict :
       {Verdict::inconclusive, Verdict::denied, Verdict::vanished, Verdict::skipped}) {
    all_are(verdict);
    EXPECT_EQ(CliFixture::run({"check", "7"}).exit_code, 2) << name_of(verdict);
  }
}

TEST_F(Check, ExitsWithTwoBelowTheCoverageThatWasAskedFor) {
  audit = [](KernelView&, int pid, const AuditOptions&) {
    return report_with(pid, pid == 1 ? Verdict::denied : Verdict::consistent);
  };
  EXPECT_EQ(CliFixture::run({"check", "--all"}).exit_code, 2);
  EXPECT_EQ(CliFixture::run({"check", "--all", "--min-coverage", "50"}).exit_code, 0);
  EXPECT_EQ(CliFixture::run({"check", "--all", "--min-coverage", "50.1"}).exit_code, 2);
}

TEST_F(Check, CountsVanishedAndKernelThreadsNeitherWay) {
  audit = [](KernelView&, int pid, const AuditOptions&) {
    ProcessReport report = report_with(pid, pid == 1 ? Verdict::vanished : Verdict::skipped);
    report.kernel_thread = pid == 7;
    return report;
  };
  EXPECT_EQ(CliFixture::run({"check", "--all"}).exit_code, 0);
}

TEST_F(Check, LetsAFindingSpeakBeforeMissingCoverage) {
  audit = [](KernelView&, int pid, const AuditOptions&) {
    return report_with(pid, pid == 1 ? Verdict::denied : Verdict::finding);
  };
  EXPECT_EQ(CliFixture::run({"check", "--all"}).exit_code, 1);
}

TEST_F(Check, NeverAuditsItself) {
  audit = [](KernelView&, int pid, const AuditOptions&) {
    EXPECT_NE(pid, 42);
    return report_with(pid, Verdict::consistent);
  };
  const CliRun run = CliFixture::run({"check", "42"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_NE(run.out.find("SKIPPED"), std::string::npos) << run.out;
  EXPECT_EQ(CliFixture::run({"check", "--all"}).exit_code, 0);
}

TEST_F(Check, HandsTheOptionsOverToTheAudit) {
  AuditOptions seen;
  audit = [&](KernelView&, int pid, const AuditOptions& options) {
    seen = options;
    return report_with(pid, Verdict::consistent);
  };
  CliFixture::run({"check", "7", "--no-confirm", "--deadline", "1.5"});
  EXPECT_FALSE(seen.confirm);
  EXPECT_FALSE(seen.full_series);
  EXPECT_EQ(seen.deadline, std::chrono::milliseconds(1500));
}

TEST_F(Check, WritesJson) {
  const CliRun run = CliFixture::run({"check", "--all", "--format", "json"});
  const auto json = nlohmann::json::parse(run.out);
  EXPECT_EQ(json["schema"], "smaps-audit.report/1");
  EXPECT_EQ(json["processes"].size(), 3U);
  EXPECT_EQ(json["summary"]["consistent"], 2);
  EXPECT_EQ(json["summary"]["skipped"], 1);
}

TEST_F(Check, WritesALineForEachProcess) {
  const CliRun run = CliFixture::run({"check", "--all", "--format", "jsonl"});
  EXPECT_EQ(std::count(run.out.begin(), run.out.end(), '\n'), 3);
  EXPECT_EQ(nlohmann::json::parse(run.out.substr(0, run.out.find('\n')))["pid"], 1);
}

TEST_F(Check, PutsAReportIntoAFileAndNothingOnStdout) {
  const TemporaryDirectory directory;
  const CliRun run = CliFixture::run({"check", "7", "-o", directory.file("report.txt")});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.out, "");
  EXPECT_EQ(directory.names(), std::vector<std::string>{"report.txt"});
  EXPECT_NE(read_whole_file(directory.file("report.txt")).find("CONSISTENT"), std::string::npos);
}

TEST_F(Check, NamesAFileThatItCannotWrite) {
  const CliRun run = CliFixture::run({"check", "7", "-o", "/no/such/directory/report"});
  EXPECT_EQ(run.exit_code, 77);
  EXPECT_NE(run.err.find("/no/such/directory/report"), std::string::npos) << run.err;
}

TEST_F(Check, SaysNothingWhenQuietAndWell) {
  EXPECT_EQ(CliFixture::run({"check", "--all", "--quiet"}).out, "");
  all_are(Verdict::finding);
  EXPECT_NE(CliFixture::run({"check", "--all", "--quiet"}).out, "");
}

TEST_F(Check, SaysThatNothingMatches) {
  const CliRun run = CliFixture::run({"check", "--comm", "nobody"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_NE(run.err.find("no process matches"), std::string::npos) << run.err;
}

TEST_F(Check, EndsBetweenTwoProcessesWhenASignalComes) {
  int audited = 0;
  audit = [&](KernelView&, int pid, const AuditOptions&) {
    ++audited;
    return report_with(pid, Verdict::finding);
  };
  stop_signal = [&] { return audited == 0 ? 0 : SIGTERM; };
  const CliRun run = CliFixture::run({"check", "--all"});
  EXPECT_EQ(run.exit_code, 143);
  EXPECT_EQ(audited, 1);
  EXPECT_NE(run.out.find("FINDING"), std::string::npos) << "what is there is reported";
  EXPECT_NE(run.err.find("interrupted after 1 of 3"), std::string::npos) << run.err;
}

TEST_F(Check, ColoursOnATerminalUnlessToldNotTo) {
  terminal = true;
  EXPECT_NE(CliFixture::run({"check", "7"}).out.find('\x1b'), std::string::npos);
  EXPECT_EQ(CliFixture::run({"check", "7", "--no-color"}).out.find('\x1b'), std::string::npos);
  EXPECT_EQ(CliFixture::run({"check", "7", "--format", "json"}).out.find('\x1b'),
            std::string::npos);
}

}  // namespace
}  // namespace smaps_audit
