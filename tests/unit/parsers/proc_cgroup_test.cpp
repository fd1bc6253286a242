// SPDX-License-Identifier: Apache-2.0
#include "parsers/proc_cgroup.h"

#include <gtest/gtest.h>

namespace smaps_audit {
namespace {

std::string_view telling(std::string_view text) {
  const auto lines = parse_proc_cgroup(text);
  EXPECT_TRUE(lines.ok()) << text;
  return lines ? telling_cgroup(*lines) : "";
}

TEST(ProcCgroup, ReadsBothVersions) {
  const auto lines = parse_proc_cgroup("4:cpu,cpuacct:/a:b\n1:name=systemd:/c\n0::/d (deleted)\n");
  ASSERT_TRUE(lines.ok());
  ASSERT_EQ(lines->size(), 3U);
  EXPECT_EQ((*lines)[0].controllers, "cpu,cpuacct");
  EXPECT_EQ((*lines)[0].path, "/a:b");
  EXPECT_EQ((*lines)[1].controllers, "name=systemd");
  EXPECT_EQ((*lines)[2].controllers, "");
  EXPECT_EQ((*lines)[2].path, "/d");
  EXPECT_TRUE(parse_proc_cgroup("")->empty());
}

TEST(ProcCgroup, RefusesWhatIsNone) {
  EXPECT_EQ(parse_proc_cgroup("0::/a").error().code, ErrorCode::truncated);
  for (const std::string_view text : {"\n", "0:/a\n", "x::/a\n", "::/a\n", "/a\n"}) {
    const auto lines = parse_proc_cgroup(text);
    ASSERT_FALSE(lines.ok()) << text;
    EXPECT_EQ(lines.error().code, ErrorCode::malformed);
    EXPECT_EQ(lines.error().line, 1U);
  }
  EXPECT_EQ(parse_proc_cgroup("0::/a\n0:\n").error().line, 2U);
}

TEST(ProcCgroup, TheTellingPathIsVersionTwosThenSystemdsThenMemorys) {
  EXPECT_EQ(telling("4:memory:/m\n1:name=systemd:/s\n0::/u\n"), "/u");
  EXPECT_EQ(telling("4:memory:/m\n1:name=systemd:/s\n0::/\n"), "/s");
  EXPECT_EQ(telling("5:cpu:/c\n4:memory:/m\n1:name=systemd:/\n0::/\n"), "/m");
  EXPECT_EQ(telling("5:cpu:/c\n4:memory:/\n0::/\n"), "/c");
  EXPECT_EQ(telling("0::/\n"), "/");
  EXPECT_EQ(telling(""), "");
}

TEST(SystemdUnits, AreFoundBelowAnyDepthOfSlices) {
  EXPECT_EQ(units_of_cgroup("/system.slice/cron.service").unit, "cron.service");
  EXPECT_EQ(units_of_cgroup("/system.slice/system-a.slice/a@1.service/sub/x.scope").unit,
            "a@1.service");
  EXPECT_EQ(units_of_cgroup("/init.scope").unit, "init.scope");
  EXPECT_EQ(units_of_cgroup("/user.slice/user-0.slice/session-1.scope").unit, "session-1.scope");
  EXPECT_EQ(units_of_cgroup("/system.slice/cron.service").user_unit, "");
}

TEST(SystemdUnits, OfAUserAreBelowItsManager) {
  const SystemdUnits units = units_of_cgroup(
      "/user.slice/user-1000.slice/user@1000.service/app.slice/app-x.slice/app-y.scope");
  EXPECT_EQ(units.unit, "user@1000.service");
  EXPECT_EQ(units.user_unit, "app-y.scope");
  EXPECT_EQ(units_of_cgroup("/user.slice/user@1000.service").user_unit, "");
}

TEST(SystemdUnits, AreNotEverywhere) {
  for (const std::string_view path :
       {"", "/", "/docker/abc", "/system.slice", "/.service", "/a/cron.service", "//"}) {
    EXPECT_EQ(units_of_cgroup(path).unit, "") << path;
  }
}

}  // namespace
}  // namespace smaps_audit
