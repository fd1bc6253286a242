// SPDX-License-Identifier: Apache-2.0
#include "daemon/web/web_counts.h"

#include <gtest/gtest.h>

namespace smaps_audit {
namespace {

std::uint64_t count_of(const WebCounts& counts, PathClass path_class, unsigned status) {
  for (const RequestCount& row : counts.requests) {
    if (row.path_class == path_class && row.status == status) return row.count;
  }
  return UINT64_MAX;
}

TEST(WebCounters, ShowsGoodAnswersOfEveryClassAtZero) {
  WebCounts counts;
  WebCounters().add_to(counts);
  ASSERT_EQ(counts.requests.size(), kPathClasses);
  for (const RequestCount& row : counts.requests) {
    EXPECT_EQ(row.status, 200U);
    EXPECT_EQ(row.count, 0U);
  }
}

TEST(WebCounters, CountsByClassAndStatus) {
  WebCounters counters;
  counters.count_request(PathClass::metrics, 200);
  counters.count_request(PathClass::metrics, 200);
  counters.count_request(PathClass::api, 404);
  counters.count_request(PathClass::other, 418);
  counters.tls_failures = 3;
  WebCounts counts;
  counters.add_to(counts);
  EXPECT_EQ(count_of(counts, PathClass::metrics, 200), 2U);
  EXPECT_EQ(count_of(counts, PathClass::api, 404), 1U);
  EXPECT_EQ(count_of(counts, PathClass::other, 0), 1U) << "a status nobody expected counts as 0";
  EXPECT_EQ(counts.tls_failures, 3U);
}

}  // namespace
}  // namespace smaps_audit
