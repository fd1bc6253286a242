// SPDX-License-Identifier: Apache-2.0
#include "daemon/store/pending_writes.h"

#include <gtest/gtest.h>

#include "store_fixture.h"

namespace smaps_audit::store {
namespace {

StoredFinding finding(int pid, std::uint64_t mib, std::int64_t seen) {
  StoredFinding row;
  row.key = {{kBoot, pid, 1}, "I1", Interface::smaps, "Rss"};
  row.error_bytes = row.least_error_bytes = row.worst_error_bytes = mib * kMiB;
  row.first_seen = row.last_seen = at(seen);
  row.times_seen = 1;
  return row;
}

PendingEnd end_of(int pid, std::int64_t when) {
  return {
      .process = {kBoot, pid, 1}, .except = {}, .resolved = {at(when), Resolution::process_ended}};
}

std::shared_ptr<const std::string> report_of(std::size_t bytes) {
  return std::make_shared<const std::string>(bytes, 'x');
}

TEST(PendingWrites, MergesSightingsOfOneFinding) {
  PendingWrites pending;
  EXPECT_TRUE(pending.empty());
  EXPECT_TRUE(pending.add(finding(7, 5, 1), report_of(1)));
  EXPECT_TRUE(pending.add(finding(7, 3, 2), report_of(2)));
  ASSERT_EQ(pending.findings().size(), 1U);
  const PendingFinding& kept = pending.findings().begin()->second;
  EXPECT_EQ(kept.finding.times_seen, 2U);
  EXPECT_EQ(kept.finding.first_seen, at(1));
  EXPECT_EQ(kept.finding.last_seen, at(2));
  EXPECT_EQ(kept.finding.error_bytes, 3 * kMiB);
  EXPECT_EQ(kept.finding.worst_error_bytes, 5 * kMiB);
  EXPECT_EQ(kept.report->size(), 2U);
  pending.clear();
  EXPECT_TRUE(pending.empty());
}

TEST(PendingWrites, EndWhatWaits) {
  PendingWrites pending;
  pending.add(finding(7, 5, 1), nullptr);
  pending.add(finding(8, 5, 1), nullptr);
  EXPECT_TRUE(pending.add(end_of(7, 2)));
  EXPECT_EQ(pending.findings().at(finding(7, 0, 0).key).finding.resolved,
            (Resolved{at(2), Resolution::process_ended}));
  EXPECT_TRUE(pending.findings().at(finding(8, 0, 0).key).finding.open());
  // Seen once more, it is open once more; the same end again is no other end.
  pending.add(finding(7, 5, 3), nullptr);
  EXPECT_TRUE(pending.findings().at(finding(7, 0, 0).key).finding.open());
  EXPECT_TRUE(pending.add(end_of(7, 4)));
  EXPECT_EQ(pending.ends().size(), 1U);
  EXPECT_EQ(pending.ends()[0].resolved.when, at(2));
}

TEST(PendingWrites, EndEverythingButWhatAnAuditShows) {
  PendingEnd end = end_of(7, 2);
  end.except.insert(finding(7, 0, 0).key);
  EXPECT_FALSE(is_ended_by(end, finding(7, 0, 0).key));
  FindingKey other = finding(7, 0, 0).key;
  other.field = "Pss";
  EXPECT_TRUE(is_ended_by(end, other));
  EXPECT_FALSE(is_ended_by(end, finding(8, 0, 0).key));
  const PendingEnd boot{.process = {.boot_id = "now"}, .except = {}, .resolved = {}};
  EXPECT_TRUE(is_ended_by(boot, finding(7, 0, 0).key));
  EXPECT_FALSE(is_ended_by({.process = {.boot_id = kBoot}, .except = {}, .resolved = {}},
                           finding(7, 0, 0).key));
}

TEST(PendingWrites, AreBounded) {
  PendingWrites pending;
  for (int pid = 1; pid <= static_cast<int>(kMostPending); ++pid) {
    ASSERT_TRUE(pending.add(finding(pid, 1, 1), nullptr));
    ASSERT_TRUE(pending.add(end_of(100'000 + pid, 1)));
  }
  EXPECT_FALSE(pending.add(finding(50'000, 1, 1), nullptr));
  EXPECT_FALSE(pending.add(end_of(50'000, 1)));
  EXPECT_TRUE(pending.add(finding(5, 1, 2), nullptr));
  EXPECT_EQ(pending.findings().size(), kMostPending);
}

TEST(PendingWrites, LeaveReportsOutWhereTheyAreTooMany) {
  PendingWrites pending;
  const auto half = report_of(kMostPendingReportBytes / 2);
  pending.add(finding(1, 1, 1), half);
  pending.add(finding(2, 1, 1), half);
  pending.add(finding(3, 1, 1), report_of(kMostPendingReportBytes / 2));
  EXPECT_TRUE(pending.add(finding(4, 1, 1), report_of(1)));
  EXPECT_EQ(pending.findings().at(finding(2, 0, 0).key).report, half);
  EXPECT_NE(pending.findings().at(finding(3, 0, 0).key).report, nullptr);
  EXPECT_EQ(pending.findings().at(finding(4, 0, 0).key).report, nullptr);
}

}  // namespace
}  // namespace smaps_audit::store
