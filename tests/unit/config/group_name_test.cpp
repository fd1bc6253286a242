// SPDX-License-Identifier: Apache-2.0
#include "config/group_name.h"

#include <gtest/gtest.h>

namespace smaps_audit {
namespace {

const std::string kHex64 = "1f2e3d4c5b6a79881f2e3d4c5b6a79881f2e3d4c5b6a79881f2e3d4c5b6a7988";
const std::string kHex32 = kHex64.substr(0, 32);
const std::string kUuid = "0d3a9c5e-1b2f-4c6d-8e7f-0123456789ab";
const std::string kUuidUnderscores = "0d3a9c5e_1b2f_4c6d_8e7f_0123456789ab";

std::string of_unit(const std::string& unit) { return group_name(unit, "/system.slice/" + unit); }

TEST(GroupName, IsTheUnitWithoutIds) {
  const std::vector<std::pair<std::string, std::string>> rows{
      {"cron.service", "cron.service"},
      {"init.scope", "init.scope"},
      {"docker-" + kHex64 + ".scope", "docker.scope"},
      {"cri-containerd-" + kHex64 + ".scope", "cri-containerd.scope"},
      {"crio-" + kHex64 + ".scope", "crio.scope"},
      {"crio-conmon-" + kHex64 + ".scope", "crio-conmon.scope"},
      {"libpod-" + kHex64 + ".scope", "libpod.scope"},
      {"libpod-conmon-" + kHex64 + ".scope", "libpod-conmon.scope"},
      {"session-7.scope", "session.scope"},
      {"session-c12.scope", "session.scope"},
      {"run-u12.scope", "run.scope"},
      {"run-u12.service", "run.service"},
      {"run-r" + kHex32 + ".scope", "run.scope"},
      {"run-p1234-i5678.service", "run.service"},
      {"user@1000.service", "user@.service"},
      {"foo@1.service", "foo@.service"},
      {"postgresql@15-main.service", "postgresql@.service"},
      {"systemd-coredump@0-1234-0.service", "systemd-coredump@.service"},
      {"dbus-:1.2-org.freedesktop.problems@0.service", "dbus-org.freedesktop.problems@.service"},
      {"machine-qemu\\x2d3\\x2ddebian.scope", "machine-qemu.scope"},
      {"machine-web.scope", "machine.scope"},
      {"snap.firefox.firefox-" + kUuid + ".scope", "snap.firefox.firefox.scope"},
      {"vte-spawn-" + kUuid + ".scope", "vte-spawn.scope"},
  };
  for (const auto& [unit, group] : rows) EXPECT_EQ(of_unit(unit), group) << unit;
}

TEST(GroupName, KeepsNumbersThatAreNames) {
  for (const std::string unit :
       {"postgresql-15.service", "redis-6379.service", "php8.2-fpm.service", "session-tool.service",
        "run-backup.service", "user-mapper.service", "deadbeef.service", "cafe-babe.service"}) {
    EXPECT_EQ(of_unit(unit), unit);
  }
}

TEST(GroupName, OfPodsIsTheirSlice) {
  const std::string systemd = "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" +
                              kUuidUnderscores + ".slice/cri-containerd-" + kHex64 + ".scope";
  EXPECT_EQ(group_name("cri-containerd-" + kHex64 + ".scope", systemd), "kubepods-burstable.slice");
  EXPECT_EQ(group_name("", "/kubepods.slice/kubepods-pod" + kUuidUnderscores + ".slice/x"),
            "kubepods.slice");
  EXPECT_EQ(group_name("", "/kubepods.slice/kubepods-pod" + kHex32 + ".slice"), "kubepods.slice");
  EXPECT_EQ(group_name("", "/kubepods/besteffort/pod" + kUuid + "/" + kHex64),
            "kubepods/besteffort");
  EXPECT_EQ(group_name("podman.service", "/system.slice/podman.service"), "podman.service");
}

TEST(GroupName, OfAPathThatNoUnitManagesEndsBeforeTheFirstId) {
  EXPECT_EQ(group_name("", "/docker/" + kHex64), "docker");
  EXPECT_EQ(group_name("", "/docker/" + kHex64 + "/child"), "docker");
  EXPECT_EQ(group_name("", "/process_api/" + kHex32), "process_api");
  EXPECT_EQ(group_name("", "/jobs/42/x"), "jobs");
  EXPECT_EQ(group_name("", "/lxc/web"), "lxc/web");
  EXPECT_EQ(group_name("", "/libpod_parent/libpod-" + kHex64 + "/a"), "libpod_parent/libpod");
}

TEST(GroupName, IsThereAlways) {
  EXPECT_EQ(group_name("", ""), kNoGroup);
  EXPECT_EQ(group_name("", "/"), kNoGroup);
  EXPECT_EQ(group_name("", "/" + kHex64), kNoGroup);
  EXPECT_EQ(group_name("", "/7"), kNoGroup);
}

TEST(GroupName, IsNeverTheOneOfAllOthers) { EXPECT_EQ(group_name("", "/other"), "other_"); }

TEST(GroupName, IsFitForALabel) {
  EXPECT_EQ(group_name("", "/a\nb\x80\"\\x2d"), "a\\x0ab\\x80\"\\x2d");
  EXPECT_EQ(group_name("", "/" + std::string(200, 'x')).size(), kLongestGroupName);
  const std::string cut = group_name("", "/" + std::string(62, 'x') + "\n");
  EXPECT_EQ(cut, std::string(62, 'x'));
}

TEST(GroupName, SurvivesOddTexts) {
  for (const std::string unit :
       {"@", "-", ".", "a@", "@.service", "machine-.scope", "session-.scope", "run-.scope",
        "dbus-:@0.service", "dbus-:1@0.service"}) {
    EXPECT_FALSE(of_unit(unit).empty()) << unit;
  }
}

}  // namespace
}  // namespace smaps_audit
