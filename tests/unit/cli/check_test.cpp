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
  EXPECT_NE(run.err.find("make its directory first"), std::string::npos) << run.err;
}

// The audit of pids 7 and 8, of one unit each, whom the kernel names.
class CheckMetricsOfTwo : public Check {
 protected:
  CheckMetricsOfTwo() {
    kernel = [](FakeKernelView& fake) {
      fake.set_directory("/proc/.", {"7", "8", "42", "self"});
      fake.set_link("/proc/./self", "42");
      for (const int pid : {7, 8, 42}) {
        const std::string directory = "/proc/" + std::to_string(pid);
        const std::string name = "secret" + std::to_string(pid);
        add_process(fake, pid, name, 0,
                    "0::/system.slice/unit" + std::to_string(pid) + ".service\n");
        fake.set_directory(directory, {"stat", "status", "cgroup"});
        fake.set_file(directory + "/stat",
                      std::to_string(pid) + " (" + name +
                          ") S 1 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 100 4096 2 "
                          "18446744073709551615 4096 8192 12288 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 "
                          "0 0 0 0 0 0 0\n");
      }
    };
    audit = [this](KernelView&, int pid, const AuditOptions&) {
      ProcessReport report = report_with(pid, pid == 7 ? Verdict::finding : of_8);
      report.start_time_ticks = 100;
      report.reported.rss_bytes = 4096;
      report.truth = TrueMemory{.rss = {8192, 12288}, .pss = {}};
      return report;
    };
  }

  static bool has(const CliRun& run, const std::string& line) {
    return run.out.find("\n" + line + "\n") != std::string::npos;
  }

  Verdict of_8 = Verdict::consistent;
};

TEST_F(CheckMetricsOfTwo, AreTheServicesByGroup) {
  const CliRun run = CliFixture::run({"check", "--all", "--format", "prometheus"});
  EXPECT_EQ(run.exit_code, 1) << run.err;
  for (const char* const line : {
           "smaps_audit_target_reported_rss_bytes{target=\"unit7.service\"} 4096",
           "smaps_audit_target_true_rss_bytes{target=\"unit8.service\",bound=\"low\"} 8192",
           "smaps_audit_target_rss_deficit_bytes{target=\"unit7.service\"} 4096",
           "smaps_audit_target_findings{target=\"unit7.service\"} 1",
           "smaps_audit_target_findings{target=\"unit8.service\"} 0",
           "smaps_audit_findings{defect=\"unknown\"} 1",
           "smaps_audit_processes{verdict=\"finding\"} 1",
           "smaps_audit_processes{verdict=\"skipped\"} 1",
           "smaps_audit_processes{verdict=\"pending\"} 0",
           "smaps_audit_coverage_ratio 1",
           "smaps_audit_capability{capability=\"pagemap\"} 1",
       }) {
    EXPECT_TRUE(has(run, line)) << line << '\n' << run.out;
  }
}

TEST_F(CheckMetricsOfTwo, NameNoProcessAndNothingOfTheService) {
  const CliRun run = CliFixture::run({"check", "--all", "--format", "prometheus"});
  for (const char* const word :
       {"secret", "unit42", "process_", "worker", "sweeps_total", "kernel_defect", "http"}) {
    EXPECT_EQ(run.out.find(word), std::string::npos) << word << '\n' << run.out;
  }
}

TEST_F(CheckMetricsOfTwo, CountAProcessOfWhichNothingIsKnownWithoutInventingBytes) {
  of_8 = Verdict::inconclusive;
  const CliRun run = CliFixture::run({"check", "--all", "--format", "prometheus"});
  EXPECT_TRUE(has(run, "smaps_audit_target_processes{target=\"unit8.service\"} 1")) << run.out;
  EXPECT_EQ(run.out.find("reported_rss_bytes{target=\"unit8"), std::string::npos) << run.out;
  EXPECT_TRUE(has(run, "smaps_audit_coverage_ratio 0.5")) << run.out;
  of_8 = Verdict::vanished;
  const CliRun gone = CliFixture::run({"check", "--all", "--format", "prometheus"});
  EXPECT_EQ(gone.out.find("unit8"), std::string::npos) << gone.out;
  EXPECT_TRUE(has(gone, "smaps_audit_processes{verdict=\"vanished\"} 1")) << gone.out;
}

TEST_F(CheckMetricsOfTwo, KeepTheOldFileWhenInterrupted) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("smaps-audit.prom");
  write_whole_file(path, "old");
  int signal = 0;
  stop_signal = [&signal] { return signal; };
  audit = [&signal](KernelView&, int pid, const AuditOptions&) {
    signal = SIGTERM;
    return report_with(pid, Verdict::consistent);
  };
  const CliRun run = CliFixture::run({"check", "--all", "--format", "prometheus", "-o", path});
  EXPECT_EQ(run.exit_code, 128 + SIGTERM);
  EXPECT_NE(run.err.find("interrupted"), std::string::npos) << run.err;
  EXPECT_EQ(read_whole_file(path), "old");
  EXPECT_EQ(directory.names(), std::vector<std::string>{"smaps-audit.prom"});
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
