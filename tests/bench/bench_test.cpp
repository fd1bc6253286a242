// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "cli/audit_target.h"
#include "collect/live_kernel_view.h"
#include "tests/bench/bare_kernel_view.h"
#include "tests/bench/child.h"
#include "tests/bench/measure.h"
#include "tests/bench/samples.h"

namespace smaps_audit::bench {
namespace {

TEST(BareKernelView, MakesTheSameCallsAsTheAuditAndGetsTheSameAnswers) {
  const auto bench = prepare(1);
  ASSERT_TRUE(bench.ok()) << bench.error().message();
  const auto child = HeldChild::start({SMAPS_AUDIT_WORKLOAD, "many-vmas", "50"}, true);
  ASSERT_TRUE(child.ok()) << child.error().message();
  LiveKernelView live;
  // Which frames are read together changes with every page that compaction moves.
  KernelCapabilities capabilities = bench->capabilities;
  capabilities.kpagecount = false;
  const auto trace = [&] {
    BareKernelView view{live};
    const ProcessReport report =
        audit_target(view, capabilities, bench->host.pages, child->pid(), {});
    EXPECT_EQ(report.verdict, Verdict::consistent) << report.reason << report.explanation;
    return std::pair{view.calls(), view.outcome()};
  };
  const auto [calls, outcome] = trace();
  std::vector<std::byte> buffer;
  const BareOutcome repeated = BareKernelView::repeat(calls, buffer);

  EXPECT_EQ(repeated.calls, calls.calls.size());
  EXPECT_EQ(repeated, outcome);
  EXPECT_GT(outcome.read_bytes, 50U * 600U);
  // The number of calls may differ: a thread that does not sleep yet is asked less.
  const BareOutcome again = trace().second;
  EXPECT_EQ(again.read_bytes, outcome.read_bytes);
  EXPECT_EQ(again.regions, outcome.regions);
}

TEST(Quartiles, AreThoseOfTheNearestRank) {
  const Quartiles q = quartiles_of({5, 1, 4, 2, 3});
  EXPECT_EQ(q.low, 2);
  EXPECT_EQ(q.median, 3);
  EXPECT_EQ(q.high, 4);
  EXPECT_EQ(ratio_of({2, 6}, {1, 0}).median, 2) << "a round without a base is left out";
}

}  // namespace
}  // namespace smaps_audit::bench
