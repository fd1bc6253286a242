// SPDX-License-Identifier: Apache-2.0
#include "daemon/group_of.h"

#include <gtest/gtest.h>

#include "daemon/screen.h"
#include "tests/support/fake_kernel_view.h"

namespace smaps_audit::service {
namespace {

const std::string kStat =
    "7 (nginx) S 1 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 100 4096 2 18446744073709551615 4096 "
    "8192 12288 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n";

class GroupOfTest : public testing::Test {
 protected:
  GroupOfTest() {
    kernel.set_directory("/proc/7", {"stat", "status", "cgroup"});
    kernel.set_file("/proc/7/stat", kStat);
    kernel.set_file("/proc/7/status", "Name:\tnginx\nUid:\t33\t33\t33\t33\nVmRSS:\t8 kB\n");
    kernel.set_link("/proc/7/exe", "/usr/sbin/nginx");
    kernel.set_file("/proc/7/cgroup", "0::/user.slice/user@33.service/app.slice/web.service\n");
  }

  FakeKernelView kernel;
};

TEST_F(GroupOfTest, ListingHasAllThatRulesAskFor) {
  const auto process = Screener{kernel}.list(7);
  ASSERT_TRUE(process);
  EXPECT_EQ(process->comm, "nginx");
  EXPECT_EQ(process->executable, "/usr/sbin/nginx");
  EXPECT_EQ(process->unit, "user@33.service");
  EXPECT_EQ(process->cgroup, "/user.slice/user@33.service/app.slice/web.service");
  EXPECT_EQ(process->uid, 33U);
  EXPECT_EQ(process->rss_bytes, 8192U);
  EXPECT_EQ(kernel.open_files(), 0U);
}

TEST_F(GroupOfTest, EveryKindOfRuleReachesAListedProcess) {
  const auto process = Screener{kernel}.list(7);
  ASSERT_TRUE(process);
  for (const TargetRule& rule : {TargetRule{.group = "g", .comms = {"nginx"}},
                                 TargetRule{.group = "g", .executables = {"/usr/sbin/*"}},
                                 TargetRule{.group = "g", .units = {"user@*.service"}},
                                 TargetRule{.group = "g", .units = {"web.service"}},
                                 TargetRule{.group = "g", .cgroups = {"/user.slice"}},
                                 TargetRule{.group = "g", .users = {{.name = "33", .uid = 33}}}}) {
    const auto group = group_of({.rules = {rule}, .unmatched = TargetAction::exclude})(*process);
    ASSERT_TRUE(group);
    EXPECT_EQ(group->name, "g");
    EXPECT_TRUE(group->configured);
  }
  EXPECT_EQ(group_of({})(*process)->name, "user@.service");
  EXPECT_FALSE(group_of({})(*process)->configured);
  EXPECT_FALSE(group_of({.rules = {}, .unmatched = TargetAction::exclude})(*process));
}

TEST_F(GroupOfTest, WhatIsNotTheRestIsListedAllTheSame) {
  kernel.remove("/proc/7/cgroup");
  kernel.remove("/proc/7/exe");
  kernel.remove("/proc/7/status");
  const auto process = Screener{kernel}.list(7);
  ASSERT_TRUE(process);
  EXPECT_EQ(process->cgroup, "");
  EXPECT_EQ(group_of({})(*process)->name, "none");
  EXPECT_FALSE(Screener{kernel}.list(8));
}

TEST(ExportChoice, GoesByRulesFindingsAndSize) {
  Snapshot snapshot;
  for (const char* const name : {"small", "large", "found", "named"}) {
    snapshot.groups.emplace_back().name = name;
  }
  snapshot.groups[0].status_rss_bytes = 1;
  snapshot.groups[1].status_rss_bytes = 9;
  snapshot.groups[2].findings = 1;
  snapshot.groups[3].configured = true;
  EXPECT_EQ(ExportChoice{}.choose(snapshot, 3),
            (std::vector<std::string>{"found", "large", "named"}));
}

}  // namespace
}  // namespace smaps_audit::service
