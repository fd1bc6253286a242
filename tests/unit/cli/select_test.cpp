// SPDX-License-Identifier: Apache-2.0
#include "cli/select.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "cli_fixture.h"

namespace smaps_audit {
namespace {

class Select : public ::testing::Test {
 protected:
  void SetUp() override { CliFixture{}.kernel(kernel_); }

  std::vector<int> select(const Selection& selection) {
    const Result<std::vector<int>> pids = select_processes(kernel_, selection, std::nullopt);
    EXPECT_TRUE(pids.ok());
    return pids.ok() ? *pids : std::vector<int>{};
  }

  FakeKernelView kernel_;
};

TEST_F(Select, TakesEveryProcessAndNothingElse) {
  EXPECT_EQ(select({.all = true}), (std::vector<int>{1, 7, 42}));
}

TEST_F(Select, TakesNamedPidsWhetherTheyAreThereOrNot) {
  EXPECT_EQ(select({.pids = {999, 7}}), (std::vector<int>{7, 999}));
}

TEST_F(Select, FindsByName) {
  EXPECT_EQ(select({.comms = {"postgres"}}), std::vector<int>{7});
  EXPECT_EQ(select({.comms = {"postgres", "init"}}), (std::vector<int>{1, 7}));
  EXPECT_EQ(select({.comms = {"postgre"}}), std::vector<int>{});
}

TEST_F(Select, FindsByUser) { EXPECT_EQ(select({.users = {100}}), std::vector<int>{7}); }

TEST_F(Select, NarrowsBySeveralKindsAndAddsPids) {
  EXPECT_EQ(select({.comms = {"init"}, .users = {100}}), std::vector<int>{});
  EXPECT_EQ(select({.pids = {42}, .comms = {"init"}, .users = {0}}), (std::vector<int>{1, 42}));
}

TEST_F(Select, LeavesOutWhatVanishesOrHidesWhileItLooks) {
  kernel_.set_errno("/proc/7/comm", EACCES);
  EXPECT_EQ(select({.comms = {"postgres", "init"}}), std::vector<int>{1});
}

TEST_F(Select, FindsByCgroupSubtree) {
  EXPECT_EQ(select({.cgroups = {"/system.slice"}}), std::vector<int>{7});
  EXPECT_EQ(select({.cgroups = {"/sys/fs/cgroup/system.slice/pg.service/"}}), std::vector<int>{7});
  EXPECT_EQ(select({.cgroups = {"/"}}), (std::vector<int>{1, 7, 42}));
}

TEST_F(Select, KnowsItsOwnPidInThisProc) { EXPECT_EQ(own_pid_in(kernel_), 42); }

TEST(InCgroup, ComparesWholeNames) {
  EXPECT_TRUE(in_cgroup("0::/a/b\n", "/a", "/sys"));
  EXPECT_TRUE(in_cgroup("0::/a/b\n", "a/b", "/sys"));
  EXPECT_FALSE(in_cgroup("0::/ab\n", "/a", "/sys"));
  EXPECT_FALSE(in_cgroup("0::/a\n", "/a/b", "/sys"));
}

TEST(InCgroup, UnderstandsControllersOfVersion1) {
  const char* const text = "7:cpu,cpuacct:/x\n3:memory:/m/n\n1:name=systemd:/s\n0::/u\n";
  EXPECT_TRUE(in_cgroup(text, "/m", "/sys"));
  EXPECT_TRUE(in_cgroup(text, "/sys/fs/cgroup/memory/m", "/sys"));
  EXPECT_FALSE(in_cgroup(text, "/sys/fs/cgroup/cpu/m", "/sys"));
  EXPECT_TRUE(in_cgroup(text, "/sys/fs/cgroup/cpuacct/x", "/sys"));
  EXPECT_TRUE(in_cgroup(text, "/sys/fs/cgroup/cpu,cpuacct/x", "/sys"));
  EXPECT_TRUE(in_cgroup(text, "/sys/fs/cgroup/systemd/s", "/sys"));
}

TEST(InCgroup, KeepsColonsInNamesAndSurvivesGarbage) {
  EXPECT_TRUE(in_cgroup("0::/a:b/c\n", "/a:b", "/sys"));
  EXPECT_FALSE(in_cgroup("garbage", "/a", "/sys"));
  EXPECT_FALSE(in_cgroup("", "/", "/sys"));
}

}  // namespace
}  // namespace smaps_audit
