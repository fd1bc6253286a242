// SPDX-License-Identifier: Apache-2.0
#include "audit/verdict.h"

#include <gtest/gtest.h>

#include "sample_reports.h"

namespace smaps_audit {
namespace {

TEST(Summary, CountsKernelThreadsApart) {
  Summary summary;
  summary.count(samples::kernel_thread());
  EXPECT_EQ(summary.kernel_threads, 1U);
  EXPECT_EQ(summary.skipped, 0U);
  EXPECT_DOUBLE_EQ(summary.coverage(), 1.0);
}

TEST(Summary, CountsDeniedAndInconclusiveAgainstCoverage) {
  Summary summary;
  summary.count(samples::consistent());
  summary.count(samples::k03());
  summary.count(samples::denied());
  summary.count(samples::inconclusive());
  EXPECT_EQ(summary.audited, 3U);
  EXPECT_DOUBLE_EQ(summary.coverage(), 0.5);
}

TEST(Summary, LeavesTheVanishedOutOfCoverage) {
  Summary summary;
  summary.count(samples::consistent());
  summary.count(samples::vanished());
  EXPECT_EQ(summary.vanished, 1U);
  EXPECT_DOUBLE_EQ(summary.coverage(), 1.0);
}

}  // namespace
}  // namespace smaps_audit
