// SPDX-License-Identifier: Apache-2.0
#include "daemon/oom_kills.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "tests/support/fake_kernel_view.h"

namespace smaps_audit::service {
namespace {

const char* const kEvents = "/sys/fs/cgroup/system.slice/smaps-auditd.service/memory.events";

class OomKillsTest : public testing::Test {
 protected:
  OomKillsTest() {
    kernel.set_file("/proc/self/cgroup",
                    "4:memory:/elsewhere\n0::/system.slice/smaps-auditd.service\n");
    kernel.set_file(kEvents, "low 0\nhigh 7\nmax 9\noom 4\noom_kill 3\noom_group_kill 0\n");
  }
  FakeKernelView kernel;
};

TEST_F(OomKillsTest, AreThoseOfTheServicesCgroup) { EXPECT_EQ(read_oom_kills(kernel), 3U); }

TEST_F(OomKillsTest, AreUnknownWhereTheyAreNotTold) {
  for (const char* text : {"oom 4\n", "oom_kill x\n", ""}) {
    kernel.set_file(kEvents, text);
    EXPECT_FALSE(read_oom_kills(kernel)) << text;
  }
  kernel.set_errno(kEvents, EACCES);
  EXPECT_FALSE(read_oom_kills(kernel));
  for (const char* text : {"4:memory:/elsewhere\n", "x\n", ""}) {
    kernel.set_file("/proc/self/cgroup", text);
    EXPECT_FALSE(read_oom_kills(kernel)) << text;
  }
  kernel.set_errno("/proc/self/cgroup", EACCES);
  EXPECT_FALSE(read_oom_kills(kernel));
}

}  // namespace
}  // namespace smaps_audit::service
