// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "report/printable.h"
#include "report/report.h"
#include "sample_reports.h"

namespace smaps_audit {
namespace {

std::vector<std::string> lines_of(const AuditReport& report, const TextStyle& style = {}) {
  std::ostringstream out;
  write_text(out, report, style);
  std::istringstream in{out.str()};
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::vector<std::string> lines_of(const ProcessReport& process) {
  return lines_of(samples::report_of({process}));
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

void expect_fits(const std::vector<std::string>& lines) {
  EXPECT_LE(lines.size(), kMaxProcessLines);
  for (const std::string& line : lines) EXPECT_LE(display_columns(line), 80U) << line;
}

TEST(TextReport, KeepsEveryKindOfProcessWithin24LinesOf80Columns) {
  for (const ProcessReport& process :
       {samples::k01_by_mprotect(), samples::k01_by_hints_with_many_vmas(), samples::k03(),
        samples::undecided_pair(), samples::unknown_excess(), samples::consistent(),
        samples::consistent_with_notes(), samples::inconclusive(), samples::denied(),
        samples::vanished(), samples::kernel_thread()}) {
    expect_fits(lines_of(process));
  }
}

TEST(TextReport, GivesEachNoteALineThatSaysWhereToReadOn) {
  const std::vector<std::string> lines = lines_of(samples::consistent_with_notes());
  for (const char* id : {"K05", "K09"}) {
    const auto line = std::find_if(lines.begin(), lines.end(), [id](const std::string& text) {
      return text.find(std::string{id} + ": ") != std::string::npos;
    });
    ASSERT_NE(line, lines.end()) << joined(lines);
    EXPECT_TRUE(line->ends_with("(explain " + std::string{id} + ")")) << *line;
  }
}

TEST(TextReport, CountsTheNotesThatHaveNoRoom) {
  ProcessReport process = samples::consistent_with_notes();
  process.notes.resize(40, process.notes.front());
  const std::vector<std::string> lines = lines_of(process);
  expect_fits(lines);
  EXPECT_NE(joined(lines).find("and 36 more"), std::string::npos) << joined(lines);
}

TEST(TextReport, ShowsTheReadThatTheFindingIsAboutWhereEveryReadIsAnother) {
  const std::string text = joined(lines_of(samples::k03()));
  EXPECT_NE(text.find("smaps_rollup says Rss 30.0 MiB, true at least 65.7 MiB"), std::string::npos)
      << text;
  EXPECT_NE(text.find("smaps_rollup     30.0 MiB"), std::string::npos) << text;
  EXPECT_EQ(text.find("40.0 MiB"), std::string::npos) << text;
}

TEST(TextReport, TellsNotesOfTheHostInOneLineEach) {
  AuditReport report = samples::report_of({samples::consistent()});
  report.notes = {samples::host_note(), samples::cgroup_note()};
  report.notes.back().cgroup = std::string(4096, '\x1b');
  const std::vector<std::string> lines = lines_of(report);
  for (const std::string& line : lines) EXPECT_LE(display_columns(line), 80U) << line;
  EXPECT_NE(joined(lines).find("(explain I13)"), std::string::npos);
  EXPECT_NE(joined(lines).find("(explain I14)"), std::string::npos);
  EXPECT_EQ(joined(lines).find('\x1b'), std::string::npos);
}

TEST(TextReport, KeepsTheWorstImaginableProcessWithin24Lines) {
  ProcessReport process = samples::k01_by_hints_with_many_vmas();
  constexpr std::uint64_t kHuge = std::uint64_t{1} << 57U;
  process.comm = std::string(15, '\x01');
  process.explanation = std::string(5000, 'x') + " " + std::string(5000, 'y');
  for (FindingVma& vma : process.findings[0].vmas) {
    vma.name = std::string(4096, '\xff');
    vma.start = 0xffffffffff600000;
    vma.end = 0xffffffffffffffff;
    vma.error_bytes = kHuge;
  }
  Finding odd = process.findings[0];
  for (int i = 0; i < 50; ++i) {
    odd.defect = "X" + std::to_string(i);
    odd.error_bytes = kHuge;
    odd.reported_bytes = kHuge;
    odd.field = std::string(100, 'f');
    process.findings.push_back(odd);
    process.notes.push_back(odd);
  }
  process.reported = {kHuge, kHuge, kHuge, kHuge, kHuge, kHuge};
  for (const Verdict verdict : {Verdict::finding, Verdict::inconclusive, Verdict::consistent,
                                Verdict::denied, Verdict::vanished, Verdict::skipped}) {
    process.verdict = verdict;
    process.reason = std::string(300, 'r');
    expect_fits(lines_of(process));
  }
}

TEST(TextReport, SaysEverythingInTheFirstLine) {
  EXPECT_EQ(lines_of(samples::k01_by_mprotect()).front(),
            "FINDING  postgres (pid 4211): smaps says Rss 1.7 MiB, true 65.7 MiB");
  EXPECT_EQ(lines_of(samples::k03()).front(),
            "FINDING  m... (pid 5000): smaps_rollup says Rss 30.0 MiB, true at least 65.7 MiB");
}

TEST(TextReport, ShortensTheNameRatherThanTheNumbers) {
  ProcessReport process = samples::k01_by_mprotect();
  process.pid = 4194304;
  process.comm = "\x1b]0;forged\x07\x01\x02";
  const std::string first = lines_of(process).front();
  EXPECT_NE(first.find("smaps says Rss 1.7 MiB, true 65.7 MiB"), std::string::npos) << first;
  EXPECT_NE(first.find("(pid 4194304)"), std::string::npos) << first;
  EXPECT_LE(first.size(), 80U);
}

TEST(TextReport, TellsTheCausesOfK01Apart) {
  const std::string by_mprotect = joined(lines_of(samples::k01_by_mprotect()));
  EXPECT_NE(by_mprotect.find("mprotect(PROT_NONE)"), std::string::npos) << by_mprotect;
  const std::string by_hint = joined(lines_of(samples::k01_by_hints_with_many_vmas()));
  EXPECT_NE(by_hint.find("NUMA balancing hint"), std::string::npos) << by_hint;
}

TEST(TextReport, BlamesOnlyTheWitnessesThatAreWrong) {
  const std::string text = joined(lines_of(samples::k03()));
  EXPECT_NE(text.find("smaps_rollup     30.0 MiB         31457280  WRONG"), std::string::npos)
      << text;
  EXPECT_NE(text.find("smaps            65.7 MiB         68919296  ok"), std::string::npos) << text;
  EXPECT_NE(text.find("status VmRSS     65.7 MiB         68919296  ok"), std::string::npos) << text;
}

TEST(TextReport, NamesNeitherOfAPairAloneAsWrong) {
  const std::string text = joined(lines_of(samples::undecided_pair()));
  EXPECT_EQ(text.find("WRONG"), std::string::npos) << text;
  EXPECT_NE(text.find("DISPUTED"), std::string::npos) << text;
  EXPECT_NE(text.find("smaps and numa_maps contradict each other"), std::string::npos) << text;
}

TEST(TextReport, NeverShowsZeroForAnUnknownNumber) {
  ProcessReport process = samples::inconclusive();
  process.reported = {};
  process.truth.reset();
  const std::string text = joined(lines_of(process));
  EXPECT_EQ(text.find(" 0 B"), std::string::npos) << text;
  EXPECT_NE(text.find("not readable"), std::string::npos) << text;
}

TEST(TextReport, LetsNoTargetMoveTheCursorOrForgeALine) {
  ProcessReport process = samples::k01_by_mprotect();
  process.comm = "a\nCLEAN\x1b[2J\r";
  process.findings[0].vmas[0].name = "/tmp/\x1b[31m\n\xe2\x80\xae";
  process.reason = "\x1b[1m";
  for (const Verdict verdict : {Verdict::finding, Verdict::inconclusive, Verdict::denied}) {
    process.verdict = verdict;
    for (const auto& report :
         {samples::report_of({process}), samples::report_of({process, samples::consistent()})}) {
      std::ostringstream out;
      write_text(out, report, {});
      const std::string text = out.str();
      for (const char byte : text) {
        EXPECT_TRUE(byte == '\n' || static_cast<unsigned char>(byte) >= 0x20) << text;
      }
      EXPECT_EQ(text.find("\nCLEAN\\x1b"), std::string::npos) << text;
    }
  }
}

TEST(TextReport, ShowsAWholeHostAsATableWorthReading) {
  const std::vector<std::string> lines = lines_of(samples::whole_host());
  EXPECT_LE(lines.size(), 40U);
  EXPECT_TRUE(lines.front().starts_with("FINDINGS")) << lines.front();
  for (const std::string& line : lines) EXPECT_LE(display_columns(line), 80U) << line;
  EXPECT_EQ(joined(lines).find("CONSISTENT"), std::string::npos);
  EXPECT_NE(joined(lines).find("coverage"), std::string::npos);
}

TEST(TextReport, ListsEveryProcessWhenAskedTo) {
  EXPECT_GT(lines_of(samples::whole_host(), {.verbose = true}).size(), 1900U);
}

TEST(TextReport, UsesColourOnlyWhenAskedTo) {
  EXPECT_EQ(joined(lines_of(samples::k01_by_mprotect())).find('\x1b'), std::string::npos);
  const auto coloured =
      lines_of(samples::report_of({samples::k01_by_mprotect()}), {.colour = true});
  EXPECT_NE(joined(coloured).find('\x1b'), std::string::npos);
}

TEST(TextReport, SaysTheSummaryOfNothing) {
  const std::string text = joined(lines_of(samples::report_of({})));
  EXPECT_NE(text.find("0 audited"), std::string::npos) << text;
}

}  // namespace
}  // namespace smaps_audit
