// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "cli/audit_target.h"
#include "collect/live_kernel_view.h"
#include "tests/bench/bare_kernel_view.h"
#include "tests/bench/child.h"
#include "tests/bench/measure.h"
#include "tests/bench/samples.h"
#include "tests/support/temporary_directory.h"

namespace smaps_audit::bench {
namespace {

TEST(BareKernelView, MakesTheSameCallsAsTheAuditAndGetsTheSameAnswers) {
  const auto bench = prepare(1);
  ASSERT_TRUE(bench.ok()) << bench.error().message();
  const auto child = HeldChild::start({SMAPS_AUDIT_WORKLOAD, "many-vmas", "50"}, true);
  ASSERT_TRUE(child.ok()) << child.error().message();
  const TemporaryDirectory proc;
  show_only_process(proc, child->pid());
  LiveKernelView live{proc.path()};
  // Which frames are read together changes with every page that compaction moves.
  KernelCapabilities capabilities = bench->capabilities;
  capabilities.kpagecount = false;
  BareKernelView view{live};
  const ProcessReport report =
      audit_target(view, capabilities, bench->host.pages, child->pid(), {});
  ASSERT_EQ(report.verdict, Verdict::consistent) << report.reason << report.explanation;
  const BareOutcome& outcome = view.outcome();
  std::vector<std::byte> buffer;
  const BareOutcome repeated = BareKernelView::repeat(view.calls(), buffer, proc.path());

  EXPECT_EQ(repeated.calls, outcome.calls);
  EXPECT_EQ(repeated.failed, outcome.failed);
  EXPECT_EQ(repeated.regions, outcome.regions);
  // Counters in the text grow from nine to ten.
  EXPECT_LE(std::max(repeated.read_bytes, outcome.read_bytes) -
                std::min(repeated.read_bytes, outcome.read_bytes),
            64U);
  EXPECT_GT(outcome.read_bytes, 50U * 600U);
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
