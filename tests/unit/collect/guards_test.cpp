// SPDX-License-Identifier: Apache-2.0
#include "collect/guards.h"

#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <cerrno>
#include <string>

#include "tests/unit/collect/fake_process.h"

namespace smaps_audit {
namespace {

class GuardsTest : public testing::Test {
 protected:
  void SetUp() override {
    process.vmas = {{.range = {0x10000, 0x20000}, .pages = 4}};
    process.publish();
  }
  Target open() {
    RefusedTarget refused;
    Result<Target> target = Target::open(view, 7, refused);
    EXPECT_TRUE(target.ok());
    return *std::move(target);
  }
  FakeKernelView view;
  FakeProcess process{view};
};

using Guards = GuardsTest;

ThreadsState threads_of(std::vector<ThreadState> threads) { return {std::move(threads), true}; }

TEST_F(Guards, AThreadWithAWaitChannelIsOffTheQueue) {
  const ThreadsState state = read_threads(view, open(), true);
  EXPECT_TRUE(state.complete);
  ASSERT_EQ(state.threads.size(), 1u);
  EXPECT_TRUE(state.threads[0].off_queue);
  EXPECT_EQ(state.threads[0].context_switches, 6u);
  EXPECT_TRUE(proven_asleep(state, state));
}

TEST_F(Guards, AThreadWithoutAWaitChannelIsAwake) {
  for (const char* wchan : {"0", ""}) {
    process.wchan = wchan;
    process.publish();
    const ThreadsState state = read_threads(view, open(), true);
    EXPECT_FALSE(proven_asleep(state, state)) << wchan;
    EXPECT_EQ(awake_threads(state, state), 1u);
  }
}

TEST_F(Guards, AThreadThatWaitsForAVforkChildIsAwake) {
  for (const char* wchan : {"kernel_clone", "wait_for_vfork_done", "do_fork"}) {
    process.wchan = wchan;
    process.publish();
    const ThreadsState state = read_threads(view, open(), true);
    EXPECT_FALSE(proven_asleep(state, state)) << wchan;
  }
}

TEST_F(Guards, NobodyIsAsleepWhereWchanTellsNothing) {
  const ThreadsState state = read_threads(view, open(), false);
  EXPECT_FALSE(proven_asleep(state, state));
}

TEST_F(Guards, AThreadThatCanNotBeReadIsAwake) {
  const Target target = open();
  for (const char* file : {"/proc/7/task/7/wchan", "/proc/7/task/7/status", "/proc/7/task"}) {
    view.set_errno(file, EACCES);
    const ThreadsState state = read_threads(view, target, true);
    EXPECT_FALSE(state.complete);
    EXPECT_FALSE(proven_asleep(state, state));
    EXPECT_GE(awake_threads(state, state), 1u);
    view.set_errno(file, 0);
  }
}

TEST_F(Guards, ALeaderThatExitedSleeps) {
  process.wchan = "0";
  process.publish();
  std::string dead = process.status();
  dead.replace(dead.find("S (sleeping)"), 12, "Z (zombie)");
  view.set_file("/proc/7/task/7/status", dead);
  const ThreadsState state = read_threads(view, open(), true);
  EXPECT_TRUE(proven_asleep(state, state));
}

TEST(AwakeThreads, CountsWhoRanCameOrWent) {
  const ThreadState sleeper{.tid = 1, .context_switches = 5, .off_queue = true};
  const ThreadState ran{.tid = 1, .context_switches = 6, .off_queue = true};
  const ThreadState second{.tid = 2, .context_switches = 1, .off_queue = true};
  EXPECT_EQ(awake_threads(threads_of({sleeper}), threads_of({sleeper})), 0u);
  EXPECT_EQ(awake_threads(threads_of({sleeper}), threads_of({ran})), 1u);
  EXPECT_EQ(awake_threads(threads_of({sleeper}), threads_of({sleeper, second})), 1u);
  EXPECT_EQ(awake_threads(threads_of({sleeper, second}), threads_of({sleeper})), 1u);
  EXPECT_EQ(awake_threads(threads_of({sleeper}), threads_of({second})), 2u);
}

TEST(AwakeThreads, NoThreadAtAllProvesNothing) {
  EXPECT_FALSE(proven_asleep(threads_of({}), threads_of({})));
  EXPECT_EQ(awake_threads({}, {}), 1u);
}

TEST_F(Guards, AThreadIsInsideAnExecveIfItsSystemCallIsOneOrIsNotKnown) {
  const Target target = open();
  const ThreadsState state = read_threads(view, target, true);
  const auto in = [&](const std::string& text) {
    view.set_file("/proc/7/task/7/syscall", text);
    return may_be_in_execve(view, target, state);
  };
  EXPECT_FALSE(in("0 0x0 0x7ffd 0x1 0x0 0x0 0x0 0x7ffd 0x7f\n"));
  EXPECT_FALSE(in("-1 0x7ffd 0x7f\n"));
  EXPECT_FALSE(in("232 0x3 0x7ffd 0x1\n"));
  EXPECT_TRUE(in(std::to_string(SYS_execve) + " 0x7ffd 0x7ffd 0x7ffd\n"));
  EXPECT_TRUE(in(std::to_string(SYS_execveat) + " 0x7ffd 0x7ffd 0x7ffd\n"));
  EXPECT_TRUE(in("11 0xffd 0xffd 0xffd\n"));  // of i386
  EXPECT_TRUE(in("running\n"));
  EXPECT_TRUE(in(""));
  view.set_errno("/proc/7/task/7/syscall", EPERM);
  EXPECT_TRUE(may_be_in_execve(view, target, state));
  EXPECT_FALSE(may_be_in_execve(view, target, {}));
}

TEST_F(Guards, MemoryLostToErrorsIsAbsentWhereMeminfoDoesNotTellIt) {
  view.set_file("/proc/meminfo", "MemTotal: 100 kB\nHardwareCorrupted: 8 kB\n");
  EXPECT_EQ(read_hardware_corrupted(view), 8192u);
  view.set_file("/proc/meminfo", "MemTotal: 100 kB\n");
  EXPECT_FALSE(read_hardware_corrupted(view));
  view.set_file("/proc/meminfo", "");
  EXPECT_FALSE(read_hardware_corrupted(view));
  view.set_errno("/proc/meminfo", EACCES);
  EXPECT_FALSE(read_hardware_corrupted(view));
}

TEST_F(Guards, VmstatThatCanNotBeReadIsAbsent) {
  EXPECT_EQ(read_vmstat(view).thp_fault_alloc, 5u);
  view.set_errno("/proc/vmstat", EACCES);
  EXPECT_FALSE(read_vmstat(view).thp_fault_alloc);
}

}  // namespace
}  // namespace smaps_audit
