// SPDX-License-Identifier: Apache-2.0
#include "cli/findings.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli_fixture.h"
#include "report/process_json.h"
#include "tests/unit/store/store_fixture.h"

namespace smaps_audit {
namespace {

using nlohmann::json;
using store::at;
using store::missing;
using store::Sighting;
using store::Store;

class Findings : public ::testing::Test, public CliFixture, public store::StoreFixture {
 protected:
  // One with a capture, one unknown and resolved, one by a process with a hostile name.
  void SetUp() override {
    Store store = StoreFixture::open();
    store.record(seen(4211, "postgres", missing("Rss", 64)), draft_with(store, "evidence"));
    Finding unknown = missing("Pss", 3);
    unknown.defect.reset();
    unknown.cause.reset();
    unknown.direction = Direction::excess;
    store.record(seen(7, "gone", unknown));
    store.end_process({store::kBoot, 7, 98765}, at(60));
    store.record(seen(8, "a\x1b[31mb\nc", missing("Rss", 1)));
  }
  CliRun findings(std::vector<std::string> words) {
    words.insert(words.begin(), "findings");
    words.insert(words.end(), {"--store", database()});
    return CliFixture::run(words);
  }
  static std::vector<json> lines_of(const std::string& text) {
    std::vector<json> lines;
    std::istringstream in{text};
    for (std::string line; std::getline(in, line);) lines.push_back(json::parse(line));
    return lines;
  }

 private:
  static Sighting seen(int pid, const std::string& comm, const Finding& finding) {
    Sighting sighting = store::sighting(pid, {finding}, at(pid));
    sighting.report.comm = comm;
    sighting.report_json = process_to_json(sighting.report);
    return sighting;
  }
};

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_F(Findings, AreListedOpenOnesFirst) {
  const CliRun run = findings({"list", "--all"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_LT(run.out.find("4211 post"), run.out.find("7 gone")) << run.out;
  EXPECT_TRUE(holds(run.out, "smaps Rss")) << run.out;
  EXPECT_TRUE(holds(run.out, "-64.0 MiB")) << run.out;
  EXPECT_TRUE(holds(run.out, "+3.0 MiB")) << run.out;
  EXPECT_TRUE(holds(run.out, "resolved")) << run.out;
  EXPECT_TRUE(holds(run.out, "2 open findings of 3 in the store.\n")) << run.out;
}

TEST_F(Findings, AreListedWithoutThoseThatAreResolved) {
  const CliRun run = findings({"list"});
  EXPECT_FALSE(holds(run.out, "gone")) << run.out;
  EXPECT_TRUE(holds(run.out, "--all lists those that are resolved")) << run.out;
}

TEST_F(Findings, KeepTo80ColumnsAndSendNothingToATerminal) {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"list", "--all"}, {"show", "1"}, {"show", "3"}}) {
    const CliRun run = findings(words);
    EXPECT_EQ(run.out.find('\x1b'), std::string::npos);
    std::istringstream lines{run.out};
    for (std::string line; std::getline(lines, line);) {
      // What is for a shell is never broken.
      EXPECT_TRUE(holds(line, "/") || line.size() <= 80) << line;
      EXPECT_EQ(line, line.substr(0, line.find_last_not_of(' ') + 1));
    }
  }
}

TEST_F(Findings, AreListedAsJson) {
  const json document = json::parse(findings({"list", "--format", "json"}).out);
  EXPECT_EQ(document["schema"], "smaps-audit.findings/1");
  ASSERT_EQ(document["findings"].size(), 2U);
  const json& finding = document["findings"][0];
  EXPECT_EQ(finding["id"], 1);
  EXPECT_EQ(finding["open"], true);
  EXPECT_EQ(finding["process"]["pid"], 4211);
  EXPECT_EQ(finding["process"]["group"], "database");
  EXPECT_EQ(finding["error_bytes"], 64 * 1048576);
  EXPECT_EQ(finding["true_rss_low_bytes"], 65 * 1048576);
  EXPECT_EQ(finding["true_pss_low_bytes"], nullptr);
  EXPECT_EQ(finding["first_seen"], "2026-11-23T07:14:19.000000Z");
  EXPECT_EQ(finding["resolved"], nullptr);
  EXPECT_EQ(finding["capture"]["bytes"], 8);
  EXPECT_EQ(finding["capture"]["path"], captures() + "/" + names("captures")[0]);
  EXPECT_FALSE(finding.contains("report"));
  EXPECT_EQ(lines_of(findings({"list", "--all", "--format", "jsonl"}).out).size(), 3U);
}

TEST_F(Findings, AreShownWithWhatToDo) {
  const CliRun run = findings({"show", "1"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  const std::string path = captures() + "/" + names("captures")[0];
  for (const std::string& part :
       {std::string{"Finding 1, open: postgres: smaps Rss, 64.0 MiB missing"},
        std::string{"smaps Rss 1.0 MiB where 65.0 MiB"}, std::string{"65.0 to 66.0 MiB in all."},
        std::string{"24 independent reads while the process provably slept"},
        std::string{"1 time, first 2026-11-23 07:14:19 UTC"}, std::string{"Group     database"},
        std::string{"/usr/bin/postgres"}, std::string{"K01 by NUMA balancing hint"},
        std::string{"To do"}, std::string{"smaps-audit explain K01"}, "smaps-audit replay " + path,
        std::string{"The audit that saw it last:\nFINDING"}}) {
    EXPECT_TRUE(holds(run.out, part)) << part << "\n" << run.out;
  }
  for (const std::string label : {"Defect ", "To do "}) {
    const std::size_t at = run.out.find(label);
    EXPECT_EQ(run.out.find(label, at + 1), std::string::npos) << label << "once\n" << run.out;
  }
  const CliRun resolved = findings({"show", "2"});
  EXPECT_TRUE(holds(resolved.out, "resolved: gone: smaps Pss, 3.0 MiB too much")) << resolved.out;
  EXPECT_TRUE(holds(resolved.out, "the process has ended.")) << resolved.out;
  EXPECT_TRUE(holds(resolved.out, "unknown: no known defect")) << resolved.out;
  EXPECT_TRUE(holds(resolved.out, "none was kept")) << resolved.out;
}

TEST_F(Findings, AreShownAsJsonWithTheirReport) {
  const json finding = json::parse(findings({"show", "1", "--format", "json"}).out);
  EXPECT_EQ(finding["report"]["pid"], 4211);
  EXPECT_EQ(finding["report"]["findings"].size(), 1U);
}

TEST_F(Findings, AreExportedWithTheirReports) {
  const CliRun run = findings({"export"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  const std::vector<json> lines = lines_of(run.out);
  ASSERT_EQ(lines.size(), 3U);
  for (const json& line : lines) EXPECT_EQ(line["report"]["pid"], line["process"]["pid"]);
  EXPECT_EQ(lines[2]["resolved_why"], "process_ended");
}

TEST_F(Findings, AreReadWhileTheServiceWrites) {
  Store store = StoreFixture::open(at(100));
  store.record(store::sighting(9, {missing("Rss", 5)}, at(101)));
  EXPECT_TRUE(holds(findings({"list"}).out, "3 open findings of 4"));
  store.record(store::sighting(10, {missing("Rss", 5)}, at(102)));
  EXPECT_TRUE(holds(findings({"list"}).out, "4 open findings of 5"));
  EXPECT_EQ(store.health().trouble, std::nullopt);
}

TEST_F(Findings, AreReadWithoutChangingTheStore) {
  const std::string before = read_whole_file(database());
  for (const char* verb : {"list", "export"}) EXPECT_EQ(findings({verb}).exit_code, 0);
  EXPECT_EQ(read_whole_file(database()), before);
}

TEST_F(Findings, CannotBeReadWhereThereIsNoStore) {
  const CliRun run = CliFixture::run({"findings", "list", "--store", database() + ".not"});
  EXPECT_EQ(run.exit_code, 77);
  EXPECT_TRUE(holds(run.err, "No such file")) << run.err;
  EXPECT_TRUE(holds(run.err, "--store names another")) << run.err;
  std::filesystem::remove(database());
  write_whole_file(database(), "");
  EXPECT_EQ(findings({"list"}).exit_code, 77);
}

TEST_F(Findings, CannotBeReadFromABrokenStore) {
  write_whole_file(database(), std::string(50'000, 'x'));
  EXPECT_EQ(findings({"list"}).exit_code, 65);
  EXPECT_EQ(findings({"show", "1"}).exit_code, 65);
  std::filesystem::remove(database());
  sql("CREATE TABLE bookmarks(url)");
  const CliRun run = findings({"export"});
  EXPECT_EQ(run.exit_code, 65);
  EXPECT_TRUE(holds(run.err, "another program")) << run.err;
}

TEST_F(Findings, CannotBeReadFromARowThatMakesNoSense) {
  sql("UPDATE finding SET interface='crystal ball' WHERE id=2");
  EXPECT_EQ(findings({"list", "--all"}).exit_code, 65);
}

TEST_F(Findings, CannotBeReadFromAnotherSchema) {
  sql("PRAGMA user_version=1");
  const CliRun older = findings({"list"});
  EXPECT_EQ(older.exit_code, 77);
  EXPECT_TRUE(holds(older.err, "older smaps-auditd")) << older.err;
  sql("PRAGMA user_version=3");
  const CliRun newer = findings({"list"});
  EXPECT_EQ(newer.exit_code, 77);
  EXPECT_TRUE(holds(newer.err, "newer smaps-auditd")) << newer.err;
}

TEST_F(Findings, AreAskedForByNumber) {
  for (const char* id : {"0", "-1", "x", "99999999999999999999"}) {
    EXPECT_EQ(findings({"show", id}).exit_code, 64) << id;
  }
  const CliRun run = findings({"show", "99"});
  EXPECT_EQ(run.exit_code, 64);
  EXPECT_TRUE(holds(run.err, "there is no finding 99")) << run.err;
  EXPECT_EQ(findings({"show"}).exit_code, 64);
  EXPECT_EQ(CliFixture::run({"findings"}).exit_code, 64);
  EXPECT_EQ(findings({"list", "--format", "tap"}).exit_code, 64);
}

TEST_F(Findings, ShowAReportThatIsNone) {
  sql("UPDATE report SET json='{' WHERE id=1");
  EXPECT_TRUE(holds(findings({"show", "1"}).out, "The audit that saw it last cannot be read"));
  const json finding = json::parse(findings({"show", "1", "--format", "json"}).out);
  EXPECT_EQ(finding["report"], nullptr);
}

TEST_F(Findings, AreReadByWhoMayNotWriteTheDirectory) {
  if (::geteuid() != 0) GTEST_SKIP() << "becoming another user takes root";
  std::filesystem::permissions(std::filesystem::path{directory()}.parent_path(),
                               std::filesystem::perms{0755});
  std::filesystem::permissions(directory(), std::filesystem::perms{0755});
  std::filesystem::permissions(database(), std::filesystem::perms{0644});
  constexpr uid_t kNobody = 65534;
  ASSERT_EQ(::seteuid(kNobody), 0);
  const CliRun run = findings({"list"});
  ASSERT_EQ(::seteuid(0), 0);
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_TRUE(holds(run.out, "2 open findings of 3")) << run.out;
}

}  // namespace
}  // namespace smaps_audit
