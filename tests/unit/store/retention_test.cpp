// SPDX-License-Identifier: Apache-2.0
#include "daemon/store/retention.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "store_fixture.h"

namespace smaps_audit::store {
namespace {

using Ids = std::vector<std::int64_t>;
using Names = std::vector<std::string>;

RetentionRow open_row(std::int64_t id, std::int64_t seen) {
  return {.id = id, .resolved = {}, .last_seen = at(seen), .report_id = {}, .capture = {}};
}

RetentionRow resolved_row(std::int64_t id, std::int64_t when) {
  RetentionRow row = open_row(id, when);
  row.resolved = at(when);
  return row;
}

RetentionRow with_capture(RetentionRow row, const std::string& name, std::uint64_t bytes) {
  row.capture = name;
  row.capture_bytes = bytes;
  return row;
}

TEST(Retention, KeepsWhatFits) {
  EXPECT_TRUE(
      plan_retention({open_row(1, 1), resolved_row(2, 2)}, wide_limits(), at(3), 1).empty());
  EXPECT_TRUE(plan_retention({}, wide_limits(), at(3), 1).empty());
}

TEST(Retention, DropsTheOldestResolvedFirst) {
  RetentionLimits limits = wide_limits();
  limits.findings.max_count = 3;
  const RetentionPlan plan = plan_retention(
      {open_row(1, 1), resolved_row(2, 9), resolved_row(3, 5), resolved_row(4, 7), open_row(5, 2)},
      limits, at(10), 1);
  EXPECT_EQ(plan.findings, (Ids{3, 4}));
}

TEST(Retention, DropsOpenOnesOnlyWhereNoResolvedOneIsLeft) {
  RetentionLimits limits = wide_limits();
  limits.findings.max_count = 1;
  const RetentionPlan plan =
      plan_retention({open_row(1, 9), open_row(2, 3), resolved_row(3, 10)}, limits, at(10), 1);
  EXPECT_EQ(plan.findings, (Ids{3, 2}));
}

TEST(Retention, CountsAgeFromWhenItWasResolved) {
  RetentionLimits limits = wide_limits();
  limits.findings.max_age = std::chrono::seconds(10);
  const RetentionPlan plan =
      plan_retention({open_row(1, 0), resolved_row(2, 5), resolved_row(3, 11)}, limits, at(20), 1);
  EXPECT_EQ(plan.findings, (Ids{2}));
}

TEST(Retention, FreesAReportWithTheLastOfItsFindings) {
  RetentionLimits limits = wide_limits();
  limits.findings.max_bytes = 200'000;
  std::vector<RetentionRow> rows{resolved_row(1, 1), resolved_row(2, 2), resolved_row(3, 3)};
  for (RetentionRow& row : rows) row.report_id = 1, row.report_bytes = 100'000;
  rows[2].report_id = 2;
  EXPECT_EQ(plan_retention(rows, limits, at(9), 250'000).findings, (Ids{1, 2}));
}

TEST(Retention, DropsCapturesOfResolvedFindingsFirst) {
  RetentionLimits limits = wide_limits();
  limits.captures.max_bytes = 100;
  const RetentionPlan plan = plan_retention(
      {with_capture(open_row(1, 1), "open", 60), with_capture(resolved_row(2, 9), "resolved", 60),
       with_capture(resolved_row(3, 8), "shared", 30), with_capture(open_row(4, 8), "shared", 30)},
      limits, at(10), 1);
  EXPECT_EQ(plan.captures, (Names{"resolved"}));
  EXPECT_TRUE(plan.findings.empty());
}

TEST(Retention, BoundsCapturesByCountAndAge) {
  RetentionLimits limits = wide_limits();
  limits.captures.max_count = 2;
  limits.captures.max_age = std::chrono::seconds(10);
  const std::vector<RetentionRow> rows{
      with_capture(resolved_row(1, 1), "old", 1), with_capture(resolved_row(2, 15), "a", 1),
      with_capture(resolved_row(3, 16), "b", 1), with_capture(open_row(4, 0), "open", 1)};
  EXPECT_EQ(plan_retention(rows, limits, at(20), 1).captures, (Names{"old", "a"}));
}

TEST(Retention, LeavesCapturesOfDroppedFindingsToThem) {
  RetentionLimits limits = wide_limits();
  limits.findings.max_count = 1;
  limits.captures.max_bytes = 50;
  const RetentionPlan plan = plan_retention(
      {with_capture(resolved_row(1, 1), "gone", 60), with_capture(open_row(2, 1), "open", 50)},
      limits, at(10), 1);
  EXPECT_EQ(plan.findings, (Ids{1}));
  EXPECT_TRUE(plan.captures.empty());
}

class RetentionOfAStore : public ::testing::Test, public StoreFixture {
 protected:
  // Findings of `processes` processes, each with a report of 10 kB and a capture of 1 kB.
  static void fill(Store& store, int processes) {
    for (int pid = 1; pid <= processes; ++pid) {
      Sighting seen = sighting(pid, {missing("Rss", 1)}, at(pid));
      seen.report_json = std::string(10'000, 'x');
      store.record(seen, draft_with(store, std::string(1000, 'c')));
    }
  }
  [[nodiscard]] std::uint64_t bytes_on_disk() const {
    std::uint64_t bytes = 0;
    for (const char* suffix : {"", "-wal"}) {
      std::error_code error;
      const auto size = std::filesystem::file_size(database() + suffix, error);
      if (!error) bytes += size;
    }
    return bytes;
  }
};

TEST_F(RetentionOfAStore, GivesBytesBackToTheFileSystem) {
  RetentionLimits limits = wide_limits();
  limits.findings.max_bytes = 300'000;
  Store store = open(at(0), limits);
  fill(store, 100);
  const std::uint64_t before = bytes_on_disk();
  EXPECT_GT(before, 1'000'000U);
  for (int pid = 1; pid <= 90; ++pid) store.end_process({kBoot, pid, 98765}, at(200 + pid));
  const Result<Tidied> tidied = store.tidy(at(300));
  ASSERT_TRUE(tidied) << tidied.error().message();
  EXPECT_LE(bytes_on_disk(), limits.findings.max_bytes);
  EXPECT_GE(tidied->findings, 70U);
  EXPECT_EQ(tidied->captures, tidied->findings);
  EXPECT_EQ(names("captures").size(), 100U - tidied->captures);
  // The oldest resolved went, the open ones stay.
  EXPECT_EQ(sql_text("SELECT count(*) FROM finding WHERE resolved_ns IS NULL"), "10");
  EXPECT_EQ(sql_text("SELECT min(pid) = 1 + " + std::to_string(tidied->findings) +
                     " FROM finding WHERE resolved_ns IS NOT NULL"),
            "1");
  EXPECT_EQ(store.tidy(at(301))->findings, 0U);
}

TEST_F(RetentionOfAStore, KeepsAFindingWhoseCaptureHadToGo) {
  RetentionLimits limits = wide_limits();
  limits.captures.max_bytes = 1500;
  Store store = open(at(0), limits);
  fill(store, 3);
  const Result<Tidied> tidied = store.tidy(at(300));
  EXPECT_EQ(tidied->captures, 2U);
  EXPECT_EQ(tidied->findings, 0U);
  EXPECT_EQ(names("captures").size(), 1U);
  EXPECT_EQ(store.open_findings(at(301))->size(), 3U);
}

TEST_F(RetentionOfAStore, DropsWhatWasResolvedLongAgo) {
  RetentionLimits limits = wide_limits();
  limits.findings.max_age = std::chrono::hours(1);
  Store store = open(at(0), limits);
  fill(store, 2);
  store.end_process({kBoot, 1, 98765}, at(10));
  EXPECT_EQ(store.tidy(at(3000))->findings, 0U);
  EXPECT_EQ(store.tidy(at(3700))->findings, 1U);
  EXPECT_EQ(store.open_findings(at(3700))->size(), 1U);
}

}  // namespace
}  // namespace smaps_audit::store
