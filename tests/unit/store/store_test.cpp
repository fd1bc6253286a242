// SPDX-License-Identifier: Apache-2.0
#include "daemon/store/store.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "store_fixture.h"

namespace smaps_audit::store {
namespace {

class FindingStore : public ::testing::Test, public StoreFixture {};

TEST_F(FindingStore, KeepsWhatItWasToldAcrossARestart) {
  Sighting seen = sighting(7, {missing("Rss", 64)}, at(1));
  seen.report.truth->pss = Interval{30 * kMiB, 31 * kMiB};
  seen.report.findings[0].against = Interface::status;
  {
    Store store = open();
    const Recorded recorded = store.record(seen);
    ASSERT_EQ(recorded.durability, Durability::committed);
    ASSERT_EQ(recorded.findings.size(), 1U);
    EXPECT_EQ(recorded.findings[0].change, Change::fresh);
    EXPECT_GT(recorded.findings[0].finding.id, 0);
  }
  Store store = open(at(2));
  const auto found = store.open_findings(at(2));
  ASSERT_TRUE(found) << found.error().message();
  ASSERT_EQ(found->size(), 1U);
  const StoredFinding& row = found->front();
  EXPECT_EQ(row.key.process, (ProcessKey{kBoot, 7, 98765}));
  EXPECT_EQ(row.key.check, "I1");
  EXPECT_EQ(row.key.interface, Interface::smaps);
  EXPECT_EQ(row.key.field, "Rss");
  EXPECT_EQ(row.comm, "postgres");
  EXPECT_EQ(row.group, "database");
  EXPECT_EQ(row.executable, "/usr/bin/postgres");
  EXPECT_EQ(row.direction, Direction::deficit);
  EXPECT_EQ(row.against, Interface::status);
  EXPECT_EQ(row.reported_bytes, kMiB);
  EXPECT_EQ(row.expected, (Interval{65 * kMiB, 65 * kMiB + 4096}));
  EXPECT_EQ(row.error_bytes, 64 * kMiB);
  EXPECT_EQ(row.true_rss, (Interval{65 * kMiB, 66 * kMiB}));
  EXPECT_EQ(row.true_pss, (Interval{30 * kMiB, 31 * kMiB}));
  EXPECT_EQ(row.first_seen, at(1));
  EXPECT_EQ(row.last_seen, at(1));
  EXPECT_EQ(row.times_seen, 1U);
  EXPECT_EQ(row.basis, Basis::asleep);
  EXPECT_EQ(row.brackets, 24U);
  EXPECT_TRUE(row.exact);
  EXPECT_EQ(row.defect, "K01");
  EXPECT_EQ(row.cause, Cause::numa_hint);
  EXPECT_EQ(row.kernel_release, "6.1.0-56-cloud-amd64");
  EXPECT_EQ(row.tool_version, "0.1.0");
  EXPECT_TRUE(row.open());
}

TEST_F(FindingStore, LeavesWhatIsUnknownUnknown) {
  Sighting seen = sighting(7, {missing("Rss", 64)}, at(1));
  seen.executable.reset();
  seen.report.truth.reset();
  seen.report.findings[0].defect.reset();
  seen.report.findings[0].cause.reset();
  Store store = open();
  store.record(seen);
  const auto found = store.open_findings(at(2));
  ASSERT_EQ(found->size(), 1U);
  EXPECT_EQ(found->front().executable, std::nullopt);
  EXPECT_EQ(found->front().true_rss, std::nullopt);
  EXPECT_EQ(found->front().true_pss, std::nullopt);
  EXPECT_EQ(found->front().defect, std::nullopt);
  EXPECT_EQ(found->front().cause, std::nullopt);
  EXPECT_EQ(found->front().against, std::nullopt);
  EXPECT_EQ(found->front().capture, std::nullopt);
}

TEST_F(FindingStore, HasOneRowForOneNumberOfOneProcess) {
  Store store = open();
  const std::int64_t id =
      store.record(sighting(7, {missing("Rss", 64)}, at(1))).findings[0].finding.id;
  store.record(sighting(7, {missing("Rss", 80)}, at(2)));
  const Recorded third = store.record(sighting(7, {missing("Rss", 10)}, at(3)));
  EXPECT_EQ(third.findings[0].change, Change::repeated);
  const StoredFinding& row = third.findings[0].finding;
  EXPECT_EQ(row.id, id);
  EXPECT_EQ(row.times_seen, 3U);
  EXPECT_EQ(row.first_seen, at(1));
  EXPECT_EQ(row.last_seen, at(3));
  EXPECT_EQ(row.error_bytes, 10 * kMiB);
  EXPECT_EQ(row.least_error_bytes, 10 * kMiB);
  EXPECT_EQ(row.worst_error_bytes, 80 * kMiB);
  // Another field, process or start time is another finding.
  Sighting reused = sighting(7, {missing("Rss", 1)}, at(4));
  reused.report.start_time_ticks = 99999;
  store.record(reused);
  store.record(sighting(8, {missing("Rss", 1), missing("Pss", 1)}, at(4)));
  EXPECT_EQ(store.open_findings(at(5))->size(), 4U);
}

TEST_F(FindingStore, CountsANumberOnceThatAReportNamesTwice) {
  Store store = open();
  const Recorded recorded =
      store.record(sighting(7, {missing("Rss", 2), missing("Rss", 9), missing("Rss", 4)}, at(1)));
  ASSERT_EQ(recorded.findings.size(), 1U);
  EXPECT_EQ(recorded.findings[0].finding.error_bytes, 9 * kMiB);
  EXPECT_EQ(recorded.findings[0].finding.times_seen, 1U);
}

TEST_F(FindingStore, ResolvesWhatAConclusiveAuditDoesNotShow) {
  Store store = open();
  store.record(sighting(7, {missing("Rss", 64), missing("Pss", 64)}, at(1)));
  const Recorded second = store.record(sighting(7, {missing("Rss", 64)}, at(2)));
  ASSERT_EQ(second.resolved.size(), 1U);
  EXPECT_EQ(second.resolved[0].key.field, "Pss");
  EXPECT_EQ(second.resolved[0].resolved, (Resolved{at(2), Resolution::audit_without_it}));
  const Recorded third = store.record(sighting(7, {}, at(3)));
  ASSERT_EQ(third.resolved.size(), 1U);
  EXPECT_EQ(third.resolved[0].key.field, "Rss");
  EXPECT_TRUE(store.open_findings(at(4))->empty());
}

TEST_F(FindingStore, ResolvesNothingByAnAuditInWhichAnErrorCouldHide) {
  Store store = open();
  store.record(sighting(7, {missing("Rss", 64), missing("Pss", 64)}, at(1)));
  Sighting unsure = sighting(7, {}, at(2));
  unsure.report.verdict = Verdict::inconclusive;
  EXPECT_TRUE(store.record(unsure).resolved.empty());
  Sighting part = sighting(7, {missing("Rss", 64)}, at(3));
  part.report.open_bytes = 2 * kMiB;
  EXPECT_TRUE(store.record(part).resolved.empty());
  EXPECT_EQ(store.open_findings(at(4))->size(), 2U);
}

TEST_F(FindingStore, OpensAgainWhatComesBack) {
  Store store = open();
  store.record(sighting(7, {missing("Rss", 64)}, at(1)));
  store.record(sighting(7, {}, at(2)));
  const Recorded back = store.record(sighting(7, {missing("Rss", 3)}, at(3)));
  ASSERT_EQ(back.findings.size(), 1U);
  EXPECT_EQ(back.findings[0].change, Change::reopened);
  EXPECT_TRUE(back.findings[0].finding.open());
  EXPECT_EQ(back.findings[0].finding.times_seen, 2U);
}

TEST_F(FindingStore, ResolvesWhatAProcessLeavesBehind) {
  Store store = open();
  store.record(sighting(7, {missing("Rss", 64)}, at(1)));
  store.record(sighting(8, {missing("Rss", 64)}, at(1)));
  const Recorded ended = store.end_process({kBoot, 7, 98765}, at(2));
  ASSERT_EQ(ended.resolved.size(), 1U);
  EXPECT_EQ(ended.resolved[0].key.process.pid, 7);
  EXPECT_EQ(ended.resolved[0].resolved, (Resolved{at(2), Resolution::process_ended}));
  EXPECT_TRUE(store.end_process({kBoot, 7, 98765}, at(3)).resolved.empty());
  EXPECT_EQ(store.open_findings(at(3))->size(), 1U);
}

TEST_F(FindingStore, ResolvesWhatIsOfAnotherBoot) {
  Store store = open();
  store.record(sighting(7, {missing("Rss", 64)}, at(1)));
  EXPECT_TRUE(store.end_other_boots(kBoot, at(2)).resolved.empty());
  const Recorded ended = store.end_other_boots("another", at(3));
  ASSERT_EQ(ended.resolved.size(), 1U);
  EXPECT_EQ(ended.resolved[0].resolved, (Resolved{at(3), Resolution::rebooted}));
}

TEST_F(FindingStore, WritesNothingForAProcessWithoutFindings) {
  Store store = open();
  store.record(sighting(8, {missing("Rss", 64)}, at(1)));
  const std::string before = read_whole_file(database() + "-wal");
  ASSERT_FALSE(before.empty());
  const Recorded recorded = store.record(sighting(7, {}, at(2)));
  EXPECT_EQ(recorded.durability, Durability::committed);
  EXPECT_TRUE(recorded.findings.empty());
  EXPECT_EQ(read_whole_file(database() + "-wal"), before);
}

TEST_F(FindingStore, KeepsAReportOnceForAllItsFindings) {
  Store store = open();
  store.record(sighting(7, {missing("Rss", 64), missing("Pss", 64)}, at(1)));
  EXPECT_EQ(sql_text("SELECT count(*) FROM report"), "1");
  store.record(sighting(7, {missing("Rss", 64), missing("Pss", 64)}, at(2)));
  EXPECT_EQ(sql_text("SELECT count(*) FROM report"), "1");
  // The one that is gone keeps the report in which it was seen.
  store.record(sighting(7, {missing("Rss", 64)}, at(3)));
  EXPECT_EQ(sql_text("SELECT count(*) FROM report"), "2");
}

TEST_F(FindingStore, KeepsACaptureBesideItsFindings) {
  Store store = open();
  Recorded first = store.record(sighting(7, {missing("Rss", 64), missing("Pss", 64)}, at(1)),
                                draft_with(store, "evidence"));
  ASSERT_FALSE(first.capture_problem) << first.capture_problem->message();
  const std::optional<StoredCapture> capture = first.findings[0].finding.capture;
  ASSERT_TRUE(capture);
  EXPECT_EQ(capture->bytes, 8U);
  EXPECT_EQ(capture, first.findings[1].finding.capture);
  EXPECT_EQ(read_whole_file(captures() + "/" + capture->name), "evidence");
  // A later sighting without one leaves it; with one, replaces it and removes the old file.
  Recorded second = store.record(sighting(7, {missing("Rss", 64), missing("Pss", 64)}, at(2)));
  EXPECT_EQ(second.findings[0].finding.capture, capture);
  Recorded third = store.record(sighting(7, {missing("Rss", 64), missing("Pss", 64)}, at(3)),
                                draft_with(store, "newer"));
  EXPECT_EQ(names("captures"), std::vector<std::string>{third.findings[0].finding.capture->name});
}

TEST_F(FindingStore, KeepsNoCaptureWithoutAFinding) {
  Store store = open();
  store.record(sighting(7, {}, at(1)), draft_with(store, "evidence"));
  EXPECT_TRUE(names("captures").empty());
}

TEST_F(FindingStore, RecordsAFindingWhoseCaptureIsNoGood) {
  Store store = open();
  const Recorded recorded =
      store.record(sighting(7, {missing("Rss", 64)}, at(1)), draft_with(store, ""));
  ASSERT_TRUE(recorded.capture_problem);
  EXPECT_NE(recorded.capture_problem->message().find("empty"), std::string::npos);
  EXPECT_EQ(recorded.durability, Durability::committed);
  EXPECT_EQ(recorded.findings[0].finding.capture, std::nullopt);
  EXPECT_TRUE(names("captures").empty());
}

TEST_F(FindingStore, TellsHowMuchItKeeps) {
  Store store = open();
  EXPECT_EQ(store.size(at(0))->findings, 0U);
  store.record(sighting(7, {missing("Rss", 64), missing("Pss", 64)}, at(1)),
               draft_with(store, "evidence"));
  store.record(sighting(8, {missing("Rss", 64)}, at(1)), draft_with(store, "more"));
  store.end_process({kBoot, 7, 98765}, at(2));
  const Result<StoreSize> size = store.size(at(3));
  ASSERT_TRUE(size) << size.error().message();
  EXPECT_EQ(size->findings, 3U);
  EXPECT_EQ(size->open_findings, 1U);
  EXPECT_EQ(size->captures, 2U);
  EXPECT_EQ(size->capture_bytes, 12U);
  EXPECT_GT(size->database_bytes, 40'000U);
}

TEST_F(FindingStore, RemovesAndCountsOrphansAtItsStart) {
  {
    Store store = open();
    store.record(sighting(7, {missing("Rss", 64)}, at(1)), draft_with(store, "evidence"));
    store.record(sighting(8, {missing("Rss", 64)}, at(1)), draft_with(store, "removed"));
  }
  const std::vector<std::string> kept = names("captures");
  ASSERT_EQ(kept.size(), 2U);
  write_whole_file(captures() + "/draft-0", "half of a cap");
  write_whole_file(captures() + "/20200101T000000Z-1-1.cap", "no row tells of it");
  ASSERT_EQ(::unlink((captures() + "/" + kept[1]).c_str()), 0);
  const Store store = open(at(2));
  EXPECT_EQ(names("captures"), std::vector<std::string>{kept[0]});
  EXPECT_EQ(store.health().orphans_removed, 2U);
  EXPECT_EQ(store.health().captures_missing, 1U);
  EXPECT_EQ(sql_text("SELECT count(*) FROM finding WHERE capture_id IS NULL"), "1");
}

TEST_F(FindingStore, IsUsedByOneServiceAtATime) {
  const Store store = open();
  const Result<Store> second =
      Store::open({.directory = directory(), .limits = wide_limits()}, at(1));
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message().find("another smaps-auditd uses it"), std::string::npos);
}

TEST_F(FindingStore, IsReadableByItsGroupOnly) {
  Store store = open();
  store.record(sighting(7, {missing("Rss", 64)}, at(1)), draft_with(store, "evidence"));
  for (const std::string& path : {database(), captures() + "/" + names("captures")[0]}) {
    struct stat status {};
    ASSERT_EQ(::stat(path.c_str(), &status), 0) << path;
    EXPECT_EQ(status.st_mode & 0137U, 0U) << path;
  }
}

TEST_F(FindingStore, SaysWhereItsDirectoryCannotBe) {
  write_whole_file(directory(), "a file");
  const Result<Store> store =
      Store::open({.directory = directory(), .limits = wide_limits()}, at(0));
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().file, directory());
}

}  // namespace
}  // namespace smaps_audit::store
