// SPDX-License-Identifier: Apache-2.0
#include "daemon/store/schema.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "store_fixture.h"

namespace smaps_audit::store {
namespace {

// As smaps-auditd made it when its schema was 1.
constexpr const char* kVersion1 = R"(
CREATE TABLE finding(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  boot_id TEXT NOT NULL, pid INTEGER NOT NULL, start_time_ticks INTEGER NOT NULL,
  comm TEXT NOT NULL, target_group TEXT NOT NULL,
  check_id TEXT NOT NULL, interface TEXT NOT NULL, field TEXT NOT NULL, direction TEXT NOT NULL,
  reported_bytes INTEGER NOT NULL, expected_low_bytes INTEGER NOT NULL,
  expected_high_bytes INTEGER NOT NULL, error_bytes INTEGER NOT NULL,
  rss_low_bytes INTEGER, rss_high_bytes INTEGER,
  first_seen_seconds INTEGER NOT NULL, last_seen_seconds INTEGER NOT NULL,
  times_seen INTEGER NOT NULL, basis TEXT NOT NULL, brackets INTEGER NOT NULL,
  exact INTEGER NOT NULL, defect TEXT, cause TEXT,
  kernel_release TEXT NOT NULL, tool_version TEXT NOT NULL, report_json TEXT NOT NULL,
  capture_name TEXT, capture_bytes INTEGER, resolved_seconds INTEGER, resolved_why TEXT,
  UNIQUE(boot_id, pid, start_time_ticks, check_id, interface, field));
INSERT INTO finding VALUES(3, 'boot-a', 7, 500, 'postgres', 'database', 'I1', 'smaps', 'Rss',
  'deficit', 1048576, 68157440, 68161536, 67108864, 68157440, 69206016, 1795413848, 1795413900, 5,
  'asleep', 24, 1, 'K01', 'numa_hint', '6.1.0', '0.0.9', '{"pid":7}', 'a.cap', 8, NULL, NULL);
INSERT INTO finding VALUES(4, 'boot-a', 7, 500, 'postgres', 'database', 'I1', 'smaps', 'Pss',
  'deficit', 1, 2, 3, 4, NULL, NULL, 1795413848, 1795413849, 1,
  'series', 9, 0, NULL, NULL, '6.1.0', '0.0.9', '', 'a.cap', 8, 1795413999, 'process_ended');
PRAGMA application_id=1936548208;
PRAGMA user_version=1;
)";

class StoreSchema : public ::testing::Test, public StoreFixture {};

TEST_F(StoreSchema, IsMadeInAnEmptyDirectory) {
  const Store store = open();
  EXPECT_EQ(store.health().trouble, std::nullopt);
  EXPECT_EQ(sql_text("PRAGMA user_version"), std::to_string(kSchemaVersion));
  EXPECT_EQ(sql_text("PRAGMA application_id"), std::to_string(kApplicationId));
  EXPECT_EQ(sql_text("PRAGMA auto_vacuum"), "2");
  EXPECT_EQ(sql_text("PRAGMA journal_mode"), "wal");
}

TEST_F(StoreSchema, TakesFindingsOfVersion1Along) {
  sql(kVersion1);
  std::filesystem::create_directories(captures());
  write_whole_file(captures() + "/a.cap", "evidence");
  Store store = open();
  ASSERT_FALSE(store.health().trouble) << store.health().trouble->message();
  EXPECT_EQ(store.health().corruptions, 0U);
  EXPECT_EQ(sql_text("PRAGMA user_version"), "2");
  EXPECT_EQ(sql_text("PRAGMA auto_vacuum"), "2");
  EXPECT_EQ(sql_text("SELECT count(*) FROM finding"), "2");
  EXPECT_EQ(sql_text("SELECT count(*) FROM sqlite_schema WHERE name='finding_v1'"), "0");
  const auto open = store.open_findings(at(0));
  ASSERT_TRUE(open) << open.error().message();
  ASSERT_EQ(open->size(), 1U);
  const StoredFinding& row = open->front();
  EXPECT_EQ(row.id, 3);
  EXPECT_EQ(row.key, (FindingKey{{"boot-a", 7, 500}, "I1", Interface::smaps, "Rss"}));
  EXPECT_EQ(row.first_seen, at(0));
  EXPECT_EQ(row.last_seen, at(52));
  EXPECT_EQ(row.times_seen, 5U);
  EXPECT_EQ(row.least_error_bytes, 64 * kMiB);
  EXPECT_EQ(row.worst_error_bytes, 64 * kMiB);
  EXPECT_EQ(row.true_rss, (Interval{65 * kMiB, 66 * kMiB}));
  EXPECT_EQ(row.true_pss, std::nullopt);
  EXPECT_EQ(row.executable, std::nullopt);
  EXPECT_EQ(row.capture, (StoredCapture{"a.cap", 8, at(0)}));
  EXPECT_EQ(sql_text("SELECT json FROM report"), R"({"pid":7})");
  EXPECT_EQ(sql_text("SELECT resolved_why || resolved_ns FROM finding WHERE id=4"),
            "process_ended1795413999000000000");
  EXPECT_EQ(names("captures"), std::vector<std::string>{"a.cap"});
}

TEST_F(StoreSchema, GoesOnWithWhatItTookAlong) {
  sql(kVersion1);
  Store store = open();
  Sighting again = sighting(7, {missing("Rss", 80)}, at(100));
  again.boot_id = "boot-a";
  again.report.start_time_ticks = 500;
  const Recorded recorded = store.record(again);
  ASSERT_EQ(recorded.findings.size(), 1U);
  EXPECT_EQ(recorded.findings[0].finding.id, 3);
  EXPECT_EQ(recorded.findings[0].finding.times_seen, 6U);
  EXPECT_EQ(recorded.findings[0].finding.worst_error_bytes, 80 * kMiB);
  EXPECT_GT(store.record(sighting(8, {missing("Rss", 1)}, at(101))).findings[0].finding.id, 4);
}

TEST_F(StoreSchema, IsBroughtForwardWholeOrNotAtAll) {
  sql(std::string{kVersion1} + "CREATE TABLE report(in_the_way);");
  const Store store = open();
  ASSERT_TRUE(store.health().trouble);
  EXPECT_EQ(sql_text("PRAGMA user_version"), "1");
  EXPECT_EQ(sql_text("SELECT count(*) FROM finding WHERE report_json <> ''"), "1");
}

TEST_F(StoreSchema, OfANewerVersionIsRefusedAndNotTouched) {
  sql("CREATE TABLE finding(shape_of_tomorrow); INSERT INTO finding VALUES('precious');"
      "PRAGMA application_id=1936548208; PRAGMA user_version=99;");
  const std::string before = read_whole_file(database());
  const Result<Store> store =
      Store::open({.directory = directory(), .limits = wide_limits()}, at(0));
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::unsupported);
  EXPECT_NE(store.error().message().find("newer smaps-auditd (schema 99, this one knows up to 2)"),
            std::string::npos)
      << store.error().message();
  EXPECT_EQ(read_whole_file(database()), before);
  EXPECT_EQ(names(), std::vector<std::string>{"findings.db"});
}

TEST_F(StoreSchema, OfAnotherProgramIsRefusedAndNotTouched) {
  sql("CREATE TABLE bookmarks(url);");
  const std::string before = read_whole_file(database());
  const Result<Store> store =
      Store::open({.directory = directory(), .limits = wide_limits()}, at(0));
  ASSERT_FALSE(store);
  EXPECT_NE(store.error().message().find("another program"), std::string::npos);
  EXPECT_EQ(read_whole_file(database()), before);
}

}  // namespace
}  // namespace smaps_audit::store
