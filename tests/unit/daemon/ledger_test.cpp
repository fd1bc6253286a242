// SPDX-License-Identifier: Apache-2.0
#include "daemon/ledger.h"

#include <gtest/gtest.h>

namespace smaps_audit::service {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kMiB = 1048576;

ProcessListing listing(int pid, std::string unit = "redis.service") {
  ProcessListing process;
  process.pid = pid;
  process.start_time_ticks = 5;
  process.comm = "redis";
  process.unit = std::move(unit);
  process.rss_bytes = 66 * kMiB;
  return process;
}

std::optional<GroupChoice> by_unit(const ProcessListing& process) {
  if (process.unit == "secret.service") return std::nullopt;
  return GroupChoice{.name = process.unit};
}

ProcessReport report(int pid, bool finding) {
  ProcessReport report;
  report.pid = pid;
  report.start_time_ticks = 5;
  report.verdict = finding ? Verdict::finding : Verdict::consistent;
  report.reported.rss_bytes = finding ? 2 * kMiB : 66 * kMiB;
  report.truth = TrueMemory{.rss = {66 * kMiB, 66 * kMiB}, .pss = {}, .by_scan = false};
  if (!finding) return report;
  Finding one;
  one.check = "I7";
  one.field = "Rss";
  one.error_bytes = 64 * kMiB;
  one.defect = "K01";
  one.vmas.resize(3);
  report.findings.push_back(one);
  return report;
}

Snapshot describe(const Ledger& ledger) {
  Snapshot snapshot;
  ledger.describe(snapshot);
  return snapshot;
}

TEST(Ledger, PutsReportedBesideTrueForEachGroup) {
  Ledger ledger;
  ledger.listed({listing(1), listing(2), listing(3, "pg.service")}, by_unit, 1s);
  EXPECT_EQ(describe(ledger).groups.at(1).pending, 2U);
  ledger.audited(report(1, true), 2s);
  ledger.audited(report(2, false), 3s);
  const Snapshot snapshot = describe(ledger);
  ASSERT_EQ(snapshot.groups.size(), 2U);
  const GroupSnapshot& redis = snapshot.groups[1];
  EXPECT_EQ(redis.name, "redis.service");
  EXPECT_EQ(redis.processes, 2U);
  EXPECT_EQ(redis.rss.processes, 2U);
  EXPECT_EQ(redis.rss.reported_bytes, 68 * kMiB);
  EXPECT_EQ(redis.rss.truth.low, 132 * kMiB);
  EXPECT_EQ(redis.pss.processes, 0U) << "unknown is not zero";
  EXPECT_EQ(redis.rss_deficit_bytes, 64 * kMiB);
  EXPECT_EQ(redis.oldest_verdict, 2s);
  EXPECT_TRUE(redis.defects.contains("K01"));
  EXPECT_NEAR(snapshot.coverage.value(), 2.0 / 3, 0.001);
  ASSERT_EQ(snapshot.findings.size(), 1U);
  EXPECT_EQ(snapshot.findings[0].error_bytes, 64 * kMiB);
}

// K03 is of smaps_rollup: not what leaves memory out of Rss of smaps.
TEST(Ledger, NamesTheDefectThatADeficitIsOf) {
  Ledger ledger;
  ledger.listed({listing(1), listing(2)}, by_unit, 0s);
  ProcessReport both = report(1, true);
  both.findings.push_back(both.findings.at(0));
  both.findings.back().interface = Interface::smaps_rollup;
  both.findings.back().defect = "K03";
  ledger.audited(both, 1s);
  ProcessReport strange = report(2, true);
  strange.findings.at(0).defect.reset();
  ledger.audited(strange, 1s);
  const Snapshot snapshot = describe(ledger);
  const GroupSnapshot& redis = snapshot.groups.at(0);
  EXPECT_TRUE(redis.defects.contains("K03"));
  EXPECT_EQ(redis.rss_deficit_by_defect,
            (std::map<std::string, std::uint64_t>{{"K01", 64 * kMiB}, {"unknown", 64 * kMiB}}));
  EXPECT_EQ(redis.rss_deficit_bytes, 128 * kMiB);
}

TEST(Ledger, CoversNothingAndNotAllWhileItKnowsNobody) {
  EXPECT_EQ(describe(Ledger{}).coverage, std::nullopt);
}

TEST(Ledger, NamesNoDefectForAFindingThatMatchesNone) {
  Ledger ledger;
  ledger.listed({listing(1)}, by_unit, 0s);
  ProcessReport strange = report(1, true);
  strange.findings.at(0).defect.reset();
  ledger.audited(strange, 1s);
  const Snapshot snapshot = describe(ledger);
  EXPECT_TRUE(snapshot.groups.at(0).defects.empty());
  EXPECT_EQ(snapshot.groups.at(0).findings, 1U);
}

TEST(Ledger, TellsThatAFindingBeganStayedAndWent) {
  Ledger ledger;
  ledger.listed({listing(1)}, by_unit, 0s);
  auto changes = ledger.audited(report(1, true), 1s);
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].kind, FindingChange::Kind::opened);
  EXPECT_EQ(changes[0].group, "redis.service");
  EXPECT_EQ(changes[0].finding.vmas.size(), 3U) << "the store keeps them";
  EXPECT_TRUE(ledger.has_open_finding({1, 5}));
  changes = ledger.audited(report(1, true), 2s);
  EXPECT_EQ(changes.at(0).kind, FindingChange::Kind::seen_again);
  EXPECT_EQ(describe(ledger).findings.at(0).first_seen, 1s);
  EXPECT_EQ(describe(ledger).findings.at(0).last_seen, 2s);
  changes = ledger.audited(report(1, false), 3s);
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].kind, FindingChange::Kind::resolved);
  EXPECT_EQ(describe(ledger).findings.size(), 0U);
}

TEST(Ledger, AnInconclusiveAuditResolvesNothing) {
  Ledger ledger;
  ledger.listed({listing(1)}, by_unit, 0s);
  ledger.audited(report(1, true), 1s);
  ProcessReport unclear = report(1, false);
  unclear.verdict = Verdict::inconclusive;
  unclear.reason = "contended";
  EXPECT_TRUE(ledger.audited(unclear, 2s).empty());
  EXPECT_TRUE(ledger.has_open_finding({1, 5}));
  EXPECT_EQ(describe(ledger).inconclusive_reasons.at("contended"), 1U);
}

TEST(Ledger, AnAuditThatLeavesMuchHiddenResolvesNothing) {
  Ledger ledger;
  ledger.listed({listing(1)}, by_unit, 0s);
  ledger.audited(report(1, true), 1s);
  ProcessReport other = report(1, true);
  other.findings.at(0).field = "Pss";
  other.open_bytes = kOpenBytesThatMatter;
  ledger.audited(other, 2s);
  EXPECT_EQ(describe(ledger).findings.size(), 2U) << "as the store has it";
  other.open_bytes = kOpenBytesThatMatter - 1;
  ledger.audited(other, 3s);
  EXPECT_EQ(describe(ledger).findings.size(), 1U);
}

TEST(Ledger, ResolvesTheFindingsOfAProcessThatEnded) {
  Ledger ledger;
  ledger.listed({listing(1)}, by_unit, 0s);
  ledger.audited(report(1, true), 1s);
  ProcessListing successor = listing(1);
  successor.start_time_ticks = 6;
  const auto changes = ledger.listed({successor}, by_unit, 2s);
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].kind, FindingChange::Kind::resolved);
  EXPECT_EQ(changes[0].why, "the process ended");
  EXPECT_FALSE(ledger.has_open_finding({1, 6}));
}

TEST(Ledger, AddsUpForHowLongHowMuchWasLeftOut) {
  Ledger ledger;
  ledger.listed({listing(1)}, by_unit, 0s);
  ledger.tick(100s);
  ledger.audited(report(1, true), 1s);
  ledger.tick(101s);
  ledger.tick(103s);
  const double after = describe(ledger).groups.at(0).underreported_byte_seconds;
  EXPECT_DOUBLE_EQ(after, 3.0 * 64 * kMiB);
  ledger.listed({}, by_unit, 5s);
  ledger.tick(110s);
  ASSERT_EQ(describe(ledger).groups.size(), 1U) << "a counter does not vanish with its processes";
  EXPECT_DOUBLE_EQ(describe(ledger).groups.at(0).underreported_byte_seconds, after);
}

TEST(Ledger, LeavesOutKernelThreadsAndWhatTheRulesExclude) {
  Ledger ledger;
  ProcessListing thread = listing(2);
  thread.kernel_thread = true;
  ledger.listed({listing(1), thread, listing(3, "secret.service")}, by_unit, 0s);
  const Snapshot snapshot = describe(ledger);
  EXPECT_EQ(snapshot.processes, 1U);
  EXPECT_EQ(snapshot.kernel_threads, 1U);
  EXPECT_EQ(snapshot.excluded, 1U);
  EXPECT_EQ(ledger.targets().size(), 1U);
  EXPECT_EQ(ledger.identity_of(3), std::nullopt);
}

}  // namespace
}  // namespace smaps_audit::service
