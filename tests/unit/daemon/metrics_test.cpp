// SPDX-License-Identifier: Apache-2.0
#include "daemon/metrics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

namespace smaps_audit::service {
namespace {

constexpr std::uint64_t kMiB = 1048576;

GroupSnapshot group(const std::string& name) {
  GroupSnapshot group;
  group.name = name;
  group.processes = 2;
  group.rss = {.processes = 2, .reported_bytes = 2 * kMiB, .truth = {66 * kMiB, 67 * kMiB}};
  group.processes_with_finding = 1;
  group.rss_deficit_bytes = 64 * kMiB;
  group.oldest_verdict = std::chrono::seconds{1000};
  return group;
}

FindingSum finding(const std::string& group, const std::string& defect, std::uint64_t processes) {
  FindingSum sum;
  sum.group = group;
  sum.defect = defect;
  sum.processes = processes;
  return sum;
}

std::string page_of(const Snapshot& snapshot) { return metrics_text(snapshot, {}, {}); }

bool has_line(const std::string& page, const std::string& line) {
  return page.find("\n" + line + "\n") != std::string::npos;
}

std::size_t series_in(const std::string& page) {
  std::istringstream lines{page};
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty() && line[0] != '#') ++count;
  }
  return count;
}

TEST(Metrics, PutTheTrueNumberBesideTheReportedOne) {
  Snapshot snapshot;
  snapshot.groups = {group("redis")};
  snapshot.exported_groups = {"redis"};
  const std::string page = page_of(snapshot);
  EXPECT_TRUE(has_line(page, "smaps_audit_target_reported_rss_bytes{target=\"redis\"} 2097152"))
      << page;
  EXPECT_TRUE(
      has_line(page, "smaps_audit_target_true_rss_bytes{target=\"redis\",bound=\"low\"} 69206016"));
  EXPECT_TRUE(has_line(
      page, "smaps_audit_target_true_rss_bytes{target=\"redis\",bound=\"high\"} 70254592"));
  EXPECT_TRUE(has_line(page, "smaps_audit_target_findings{target=\"redis\"} 1"));
}

TEST(Metrics, LeaveOutWhatIsUnknownInsteadOfCallingItZero) {
  Snapshot snapshot;
  const std::string page = page_of(snapshot);
  for (const std::string name :
       {"smaps_audit_target_true_rss_bytes", "smaps_audit_target_reported_pss_bytes",
        "smaps_audit_last_sweep_timestamp_seconds", "smaps_audit_rotation_duration_seconds",
        "smaps_audit_probe_card_timestamp_seconds"}) {
    EXPECT_EQ(page.find("\n" + name + "{"), std::string::npos) << name;
    EXPECT_EQ(page.find("\n" + name + " "), std::string::npos) << name;
  }
}

TEST(Metrics, HaveEveryKnownWordFromTheStart) {
  const std::string page = page_of({});
  for (const std::string line :
       {"smaps_audit_findings{defect=\"K01\"} 0", "smaps_audit_findings{defect=\"unknown\"} 0",
        "smaps_audit_processes_inconclusive{reason=\"contended\"} 0",
        "smaps_audit_worker_restarts_total{cause=\"deadline\"} 0",
        "smaps_audit_worker_refused_calls_total{call=\"socket\"} 0",
        "smaps_audit_kernel_defect{defect=\"K01\",class=\"finding\",state=\"unknown\"} 1",
        "smaps_audit_kernel_defect{defect=\"K02\",class=\"note\",state=\"unknown\"} 1",
        "smaps_audit_processes{verdict=\"pending\"} 0",
        "smaps_audit_http_requests_total{path=\"metrics\",code=\"200\"} 0"}) {
    EXPECT_TRUE(has_line(page, line)) << line;
  }
}

TEST(Metrics, SumUpUnderOtherWhatIsNotExported) {
  Snapshot snapshot;
  snapshot.groups = {group("a"), group("b"), group("c")};
  snapshot.exported_groups = {"b"};
  const std::string page = page_of(snapshot);
  EXPECT_EQ(page.find("target=\"a\""), std::string::npos);
  EXPECT_TRUE(has_line(page, "smaps_audit_target_reported_rss_bytes{target=\"other\"} 4194304"));
  EXPECT_TRUE(has_line(page, "smaps_audit_target_processes{target=\"other\"} 4"));
}

TEST(Metrics, TellOfAKernelWhoseProbesFailWithoutTheNameOfADefect) {
  const std::string unknown =
      "smaps_audit_kernel_defect{defect=\"unknown\",class=\"finding\",state=";
  Snapshot snapshot;
  EXPECT_TRUE(has_line(page_of(snapshot), unknown + "\"unknown\"} 1"));
  snapshot.card.emplace();
  EXPECT_TRUE(has_line(page_of(snapshot), unknown + "\"absent\"} 1"));
  snapshot.card->nameless = {"control"};
  EXPECT_TRUE(has_line(page_of(snapshot), unknown + "\"present\"} 1"));
}

TEST(Metrics, NameTheDefectsOfATargetOnlyWhileItHasAny) {
  Snapshot snapshot;
  snapshot.groups = {group("a"), group("b"), group("c")};
  snapshot.exported_groups = {"a", "b"};
  snapshot.findings = {finding("b", "K01", 2), finding("b", "K01", 1), finding("c", "", 1)};
  const std::string page = page_of(snapshot);
  const std::string name = "smaps_audit_target_defect_findings";
  EXPECT_TRUE(has_line(page, name + "{target=\"b\",defect=\"K01\"} 3")) << page;
  EXPECT_TRUE(has_line(page, name + "{target=\"other\",defect=\"unknown\"} 1")) << page;
  EXPECT_EQ(page.find(name + "{target=\"a\""), std::string::npos);
}

TEST(Metrics, NameTheDefectThatLeavesMemoryOut) {
  Snapshot snapshot;
  snapshot.groups = {group("a"), group("b"), group("c")};
  snapshot.groups[1].rss_deficit_by_defect = {{"K01", 3}};
  snapshot.groups[2].rss_deficit_by_defect = {{"K01", 1}, {"unknown", 2}};
  snapshot.exported_groups = {"a"};
  const std::string page = page_of(snapshot);
  const std::string name = "smaps_audit_target_defect_rss_deficit_bytes";
  EXPECT_TRUE(has_line(page, name + "{target=\"other\",defect=\"K01\"} 4")) << page;
  EXPECT_TRUE(has_line(page, name + "{target=\"other\",defect=\"unknown\"} 2"));
  EXPECT_EQ(page.find(name + "{target=\"a\""), std::string::npos);
}

TEST(Metrics, StayWithinTheirBudgetOfSeries) {
  Snapshot snapshot;
  for (int i = 0; i < 300; ++i) snapshot.groups.push_back(group("group-" + std::to_string(i)));
  for (int i = 0; i < 20; ++i) snapshot.exported_groups.push_back("group-" + std::to_string(i));
  for (int i = 0; i < 24; ++i) {
    snapshot.probe_outcomes.push_back({"probe-" + std::to_string(i), "pass"});
  }
  for (auto& one : snapshot.groups) {
    one.pss = one.rss;
    one.rss_deficit_by_defect = {{"K01", 1}};
    snapshot.findings.push_back(finding(one.name, "K01", 1));
  }
  EXPECT_LE(series_in(page_of(snapshot)), 450U);
}

TEST(Metrics, OfACheckAreSomeOfTheServicesAsItWritesThem) {
  Snapshot snapshot;
  snapshot.groups = {group("a"), group("b")};
  snapshot.exported_groups = {"b"};
  snapshot.worker.capabilities = {{"pagemap", true}};
  const std::string page = page_of(snapshot);
  const std::string check = check_metrics_text(snapshot);
  EXPECT_LT(series_in(check), series_in(page));
  std::istringstream lines{check};
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    EXPECT_NE(("\n" + page).find("\n" + line + "\n"), std::string::npos) << line;
    EXPECT_EQ(line.find(" counter"), std::string::npos) << line;
  }
  EXPECT_GT(count, 20U);
}

TEST(Metrics, AreTheOnesOfTheirPage) {
  std::ifstream file{SMAPS_AUDIT_METRICS_PAGE};
  std::ostringstream text;
  text << file.rdbuf();
  EXPECT_EQ(text.str(), metrics_markdown())
      << "smaps-auditd --print-metrics-table > docs/metrics.md";
}

}  // namespace
}  // namespace smaps_audit::service
