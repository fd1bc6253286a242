// SPDX-License-Identifier: Apache-2.0
#include "daemon/scheduler.h"

#include <gtest/gtest.h>

namespace smaps_audit::service {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kSmallTables = 40960;
constexpr std::uint64_t kHugeTables = std::uint64_t{8} << 20;  // of 4 GiB of base pages

Target target(int pid, std::uint64_t tables = kSmallTables) { return {{pid, 7}, tables}; }

Screening screening_of(int pid, bool suspicious) {
  Screening screening;
  screening.pid = pid;
  screening.start_time_ticks = 7;
  screening.suspicious = suspicious;
  return screening;
}

// Carries out what the scheduler orders, at a cost, until `end`.
class Simulation {
 public:
  explicit Simulation(std::vector<Target> targets, SchedulerOptions options = {})
      : targets_(std::move(targets)), scheduler_(options, 0ns, 1) {}

  void run_until(Nanoseconds end) {
    while (now_ < end) {
      const auto step = scheduler_.next(now_);
      if (!step.order) {
        now_ = step.not_before;
        continue;
      }
      carry_out(*step.order);
    }
  }

  std::vector<Target> targets_;
  Scheduler scheduler_;
  Nanoseconds now_{};
  std::map<int, std::uint64_t> audits_;
  std::map<int, std::uint64_t> screenings_;
  std::uint64_t lists_ = 0;
  Nanoseconds cpu_{};
  int suspicious_pid_ = 0;
  Nanoseconds audit_cost_ = 20ms;

 private:
  void carry_out(const Order& order) {
    Nanoseconds cost = 1ms;
    switch (order.kind) {
      case OrderKind::list:
        ++lists_;
        scheduler_.listed(targets_, {}, now_);
        break;
      case OrderKind::screen:
        for (const int pid : order.pids) {
          ++screenings_[pid];
          scheduler_.screened(screening_of(pid, pid == suspicious_pid_), now_);
        }
        cost = 100us * order.pids.size();
        break;
      case OrderKind::audit:
        ++audits_[order.pid];
        scheduler_.audited({order.pid, 7}, order.pid == suspicious_pid_, now_);
        cost = audit_cost_;
        break;
      case OrderKind::ping: FAIL();
    }
    now_ += cost;
    cpu_ += cost;
    scheduler_.charge(cost, now_);
  }
};

std::vector<Target> many(int count) {
  std::vector<Target> targets;
  for (int pid = 1; pid <= count; ++pid) targets.push_back(target(pid));
  return targets;
}

TEST(Scheduler, ScreensEveryTargetInEachInterval) {
  Simulation simulation{many(50)};
  simulation.run_until(10min);
  EXPECT_NEAR(static_cast<double>(simulation.lists_), 40, 2);
  for (int pid = 1; pid <= 50; ++pid) {
    EXPECT_NEAR(static_cast<double>(simulation.screenings_[pid]), 40, 2);
  }
  EXPECT_EQ(simulation.scheduler_.statistics(simulation.now_).overruns, 0U);
}

TEST(Scheduler, ScreensTheOthersOfAnOrderThatOneOfThemGotStuckIn) {
  Scheduler scheduler{{}, 0ns, 1};
  ASSERT_EQ(scheduler.next(0ns).order->kind, OrderKind::list);
  scheduler.listed(many(40), {}, 0ns);
  const Order first = *scheduler.next(0ns).order;
  ASSERT_EQ(first.pids.size(), 32U);
  EXPECT_EQ(first.pids.front(), 1);
  EXPECT_GT(first.most_page_table_bytes.value_or(0), kSmallTables);
  EXPECT_LT(first.most_page_table_bytes.value_or(0), kHugeTables);
  scheduler.screened(screening_of(1, false), 0ns);
  scheduler.screened(screening_of(2, false), 0ns);
  scheduler.stuck(4, 0ns);
  const Order next = *scheduler.next(0ns).order;
  ASSERT_EQ(next.pids.size(), 32U);
  EXPECT_EQ(next.pids[0], 3);
  EXPECT_EQ(next.pids[1], 5);
  for (const int pid : next.pids) scheduler.screened(screening_of(pid, false), 0ns);
  EXPECT_EQ(scheduler.next(0ns).order->pids, (std::vector<int>{36, 37, 38, 39, 40}));
}

TEST(Scheduler, PassesOverTheRestOfAnOrderThatWasLostOverNobodyInParticular) {
  Scheduler scheduler{{}, 0ns, 1};
  scheduler.next(0ns);
  scheduler.listed(many(40), {}, 0ns);
  scheduler.next(0ns);
  scheduler.order_lost(0ns);
  EXPECT_EQ(scheduler.next(0ns).order->pids.front(), 33);
}

TEST(Scheduler, AuditsEveryTargetInTurnAndSaysHowLongARotationTakes) {
  Simulation simulation{many(50)};
  simulation.run_until(1h);
  for (int pid = 1; pid <= 50; ++pid) {
    EXPECT_GE(simulation.audits_[pid], 5U);
    EXPECT_LE(simulation.audits_[pid], 7U) << "not more often than the shortest rotation";
  }
  const auto statistics = simulation.scheduler_.statistics(simulation.now_);
  ASSERT_TRUE(statistics.last_rotation_length);
  EXPECT_GE(*statistics.last_rotation_length, 9min);
  EXPECT_LE(*statistics.last_rotation_length, 25min);
  EXPECT_EQ(statistics.never_audited, 0U);
}

TEST(Scheduler, StaysWithinItsShareOfTheCpu) {
  for (const int count : {50, 2000}) {
    Simulation simulation{many(count)};
    simulation.run_until(1h);
    EXPECT_LE(simulation.cpu_, Nanoseconds{3600s} / 100 + 1s) << count;
  }
}

TEST(Scheduler, CountsSweepsThatBeganLate) {
  SchedulerOptions options;
  options.cpu_share = 0.001;
  Simulation simulation{many(2000), options};
  simulation.run_until(1h);
  const auto statistics = simulation.scheduler_.statistics(simulation.now_);
  EXPECT_GT(statistics.overruns, 10U);
  EXPECT_GT(statistics.sweeps, 1U);
}

// 299 ms of CPU for a sweep, of 300 ms that the budget holds for two intervals.
TEST(Scheduler, AuditsEveryTargetAlsoWhereSweepsTakeAllTheBudget) {
  std::vector<Target> targets;
  for (int pid = 1; pid <= 2980; ++pid) targets.push_back(target(pid));
  Simulation simulation{targets};
  simulation.audit_cost_ = 1ms;
  simulation.run_until(20min);
  EXPECT_EQ(simulation.audits_.size(), 2980U);
  const auto statistics = simulation.scheduler_.statistics(simulation.now_);
  EXPECT_TRUE(statistics.last_rotation_length);
  EXPECT_GT(statistics.overruns, 0U);
  // What isn't needed for audits is for sweeps.
  EXPECT_GT(statistics.sweeps, 1200U / 15 / 5);
  EXPECT_LE(simulation.cpu_, 12s + 1s);
}

TEST(Scheduler, LooksAtOnceIntoWhatLooksOff) {
  Simulation simulation{many(300)};
  simulation.suspicious_pid_ = 299;
  simulation.run_until(20s);
  EXPECT_EQ(simulation.audits_[299], 1U);
}

TEST(Scheduler, LooksSeldomIntoWhatLooksOffForEver) {
  Simulation simulation{many(10)};
  simulation.suspicious_pid_ = 3;
  simulation.run_until(1h);
  // Each minute at first, then half as often each time; and a recheck each five minutes.
  EXPECT_GE(simulation.audits_[3], 8U);
  EXPECT_LE(simulation.audits_[3], 20U);
}

TEST(Scheduler, LeavesATargetBeyondTheStallBudgetAloneButForItsAllowance) {
  Simulation simulation{{target(1), target(2, kHugeTables)}};
  simulation.run_until(24h * 10);
  EXPECT_EQ(simulation.screenings_[2], 0U);
  EXPECT_GE(simulation.audits_[2], 9U);
  EXPECT_LE(simulation.audits_[2], 12U);
  EXPECT_TRUE(simulation.scheduler_.is_beyond_stall_budget({2, 7}));
  EXPECT_EQ(simulation.scheduler_.statistics(simulation.now_).beyond_stall_budget, 1U);
}

TEST(Scheduler, NeverAuditsItWithoutAnAllowance) {
  SchedulerOptions options;
  options.stall_allowance_per_day = 0;
  Simulation simulation{{target(2, kHugeTables)}, options};
  simulation.run_until(24h * 3);
  EXPECT_EQ(simulation.audits_[2], 0U);
}

TEST(Scheduler, LearnsFromItsReadsWhatAPageTableCosts) {
  Scheduler scheduler{{}, 0ns, 1};
  const Nanoseconds before = scheduler.predicted_stall(kHugeTables);
  scheduler.listed({target(1, kSmallTables * 10)}, {}, 0ns);
  Screening slow = screening_of(1, false);
  slow.read_time = 100 * 100us;
  for (int i = 0; i < 100; ++i) scheduler.screened(slow, 0ns);
  EXPECT_GT(scheduler.predicted_stall(kHugeTables), 5 * before);
}

TEST(Scheduler, QuarantinesAStuckTargetLongerEachTime) {
  Simulation simulation{many(3)};
  simulation.run_until(30s);
  Scheduler& scheduler = simulation.scheduler_;
  Nanoseconds now = simulation.now_;
  scheduler.stuck(2, now);
  EXPECT_TRUE(scheduler.is_quarantined({2, 7}, now + 4min));
  EXPECT_FALSE(scheduler.is_quarantined({2, 7}, now + 6min));
  const auto before = simulation.screenings_[2];
  simulation.run_until(now + 4min);
  EXPECT_EQ(simulation.screenings_[2], before);
  EXPECT_EQ(scheduler.statistics(simulation.now_).quarantined, 1U);
  now = simulation.now_;
  scheduler.stuck(2, now);
  EXPECT_TRUE(scheduler.is_quarantined({2, 7}, now + 9min));
  for (int i = 0; i < 20; ++i) scheduler.stuck(2, now);
  EXPECT_FALSE(scheduler.is_quarantined({2, 7}, now + 25h));
}

TEST(Scheduler, GoesOnAfterAnOrderThatWasLost) {
  Scheduler scheduler{{}, 0ns, 1};
  const auto step = scheduler.next(0ns);
  ASSERT_TRUE(step.order);
  EXPECT_EQ(step.order->kind, OrderKind::list);
  scheduler.order_lost(1s);
  EXPECT_FALSE(scheduler.next(1s).order);
  EXPECT_EQ(scheduler.next(20s).order->kind, OrderKind::list);
}

TEST(Scheduler, ListsAtOnceAgainWithoutTheOneThatAListGotStuckOver) {
  Scheduler scheduler{{}, 0ns, 1};
  ASSERT_TRUE(scheduler.next(0ns).order);
  scheduler.listed({target(1), target(2)}, {}, 0ns);
  Nanoseconds now = 10min;
  // Whatever comes before the next list is done.
  const auto next_list = [&] {
    for (;;) {
      const auto step = scheduler.next(now);
      if (!step.order) {
        now = step.not_before;
      } else if (step.order->kind == OrderKind::list) {
        return step.order->pids;
      } else if (step.order->kind == OrderKind::audit) {
        scheduler.audited({step.order->pid, 7}, false, now);
      }
    }
  };
  EXPECT_TRUE(next_list().empty());
  scheduler.list_stuck(2, now);
  scheduler.list_stuck(3, now);  // of which nothing is known
  EXPECT_EQ(next_list(), (std::vector{2, 3}));
  scheduler.listed({target(1), target(2)}, {2, 3}, now);
  EXPECT_TRUE(scheduler.is_quarantined({2, 7}, now));
  EXPECT_FALSE(scheduler.is_quarantined({1, 7}, now));
  EXPECT_EQ(scheduler.statistics(now).quarantined, 1U);
  EXPECT_EQ(scheduler.statistics(now).unlisted, 1U);

  now += 6min;
  EXPECT_TRUE(next_list().empty()) << "it gets another chance";
  scheduler.list_stuck(3, now);
  now += 6min;
  EXPECT_EQ(next_list(), std::vector{3}) << "twice as long";
  scheduler.listed({target(1), target(2)}, {}, now);
  EXPECT_EQ(scheduler.statistics(now).unlisted, 0U) << "it has ended";
}

TEST(Scheduler, BeginsAtItsOffset) {
  SchedulerOptions options;
  options.offset = 7s;
  Scheduler scheduler{options, 100s, 1};
  EXPECT_FALSE(scheduler.next(100s).order);
  EXPECT_EQ(scheduler.next(100s).not_before, 107s);
}

}  // namespace
}  // namespace smaps_audit::service
