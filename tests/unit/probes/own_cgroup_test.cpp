// SPDX-License-Identifier: Apache-2.0
#include "probes/own_cgroup.h"

#include <gtest/gtest.h>

namespace smaps_audit::probes {
namespace {

TEST(OwnCgroup, FindsTheMountOfTheSecondVersion) {
  EXPECT_EQ(cgroup2_mount("29 24 0:25 / /sys/fs/cgroup ro,nosuid shared:9 - tmpfs tmpfs rw\n"
                          "30 29 0:26 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"),
            "/sys/fs/cgroup/unified");
}

TEST(OwnCgroup, LeavesAMountOfAPartAlone) {
  EXPECT_EQ(cgroup2_mount("30 29 0:26 /docker/x /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"),
            std::nullopt);
  EXPECT_EQ(cgroup2_mount("30 29 0:26 / /sys/fs/cgroup rw - cgroup cgroup rw,cpu\n"), std::nullopt);
  EXPECT_EQ(cgroup2_mount(""), std::nullopt);
}

TEST(OwnCgroup, FindsItsOwnPlace) {
  EXPECT_EQ(cgroup2_path("4:memory:/a\n0::/user.slice/x.scope\n"), "/user.slice/x.scope");
  EXPECT_EQ(cgroup2_path("0::/\n"), "/");
  EXPECT_EQ(cgroup2_path("4:memory:/a\n"), std::nullopt);
}

}  // namespace
}  // namespace smaps_audit::probes
