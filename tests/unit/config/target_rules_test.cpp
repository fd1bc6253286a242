// SPDX-License-Identifier: Apache-2.0
#include "config/target_rules.h"

#include <gtest/gtest.h>

namespace smaps_audit {
namespace {

const TargetFacts kNginx{.comm = "nginx",
                         .executable = "/usr/sbin/nginx",
                         .unit = "nginx.service",
                         .cgroup = "/system.slice/nginx.service",
                         .uid = 33};

std::string group_by(const TargetRule& rule, const TargetFacts& facts) {
  const TargetSettings targets{.rules = {rule}, .unmatched = TargetAction::exclude};
  const auto group = find_group(targets, facts);
  return group ? group->name : "";
}

TEST(TargetRules, WithoutAnyGroupByUnit) {
  EXPECT_EQ(find_group({}, kNginx), (TargetGroup{.name = "nginx.service"}));
  EXPECT_EQ(find_group({.rules = {}, .unmatched = TargetAction::exclude}, kNginx), std::nullopt);
}

TEST(TargetRules, EachFactCanMatch) {
  EXPECT_EQ(group_by({.group = "g", .comms = {"ng*"}}, kNginx), "g");
  EXPECT_EQ(group_by({.group = "g", .executables = {"/usr/sbin/*"}}, kNginx), "g");
  EXPECT_EQ(group_by({.group = "g", .units = {"*.service"}}, kNginx), "g");
  EXPECT_EQ(group_by({.group = "g", .cgroups = {"/system.slice"}}, kNginx), "g");
  EXPECT_EQ(group_by({.group = "g", .users = {{.name = "www-data", .uid = 33}}}, kNginx), "g");
}

TEST(TargetRules, EachFactCanFail) {
  EXPECT_EQ(group_by({.group = "g", .comms = {"apache*"}}, kNginx), "");
  EXPECT_EQ(group_by({.group = "g", .executables = {"/usr/bin/*"}}, kNginx), "");
  EXPECT_EQ(group_by({.group = "g", .units = {"*.scope"}}, kNginx), "");
  EXPECT_EQ(group_by({.group = "g", .cgroups = {"/user.slice"}}, kNginx), "");
  EXPECT_EQ(group_by({.group = "g", .users = {{.name = "root", .uid = 0}}}, kNginx), "");
}

TEST(TargetRules, OneOfAListIsEnoughAllKeysAreNeeded) {
  EXPECT_EQ(group_by({.group = "g", .comms = {"apache", "nginx"}}, kNginx), "g");
  EXPECT_EQ(group_by({.group = "g", .comms = {"nginx"}, .units = {"other.service"}}, kNginx), "");
}

TEST(TargetRules, FirstThatMatchesDecides) {
  const TargetSettings targets{
      .rules = {{.action = TargetAction::exclude, .users = {{.name = "0", .uid = 0}}},
                {.group = "first", .comms = {"nginx"}},
                {.group = "second", .comms = {"nginx"}}}};
  EXPECT_EQ(find_group(targets, kNginx), (TargetGroup{.name = "first", .configured = true}));
  TargetFacts root = kNginx;
  root.uid = 0;
  EXPECT_EQ(find_group(targets, root), std::nullopt);
}

TEST(TargetRules, WithoutAGroupTheUnitNamesIt) {
  const TargetSettings targets{.rules = {{.comms = {"nginx"}}}, .unmatched = TargetAction::exclude};
  EXPECT_EQ(find_group(targets, kNginx), (TargetGroup{.name = "nginx.service"}));
}

TEST(TargetRules, WhatIsNotKnownFitsNothing) {
  const TargetFacts nothing;
  EXPECT_EQ(group_by({.group = "g", .comms = {"*"}}, nothing), "");
  EXPECT_EQ(group_by({.group = "g", .executables = {"**"}}, nothing), "");
  EXPECT_EQ(group_by({.group = "g", .units = {"*"}}, nothing), "");
  EXPECT_EQ(group_by({.group = "g", .cgroups = {"**"}}, nothing), "");
  EXPECT_EQ(group_by({.group = "g", .users = {{.name = "0", .uid = 0}}}, nothing), "");
}

TEST(TargetRules, AUsersOwnUnitMatchesToo) {
  const TargetFacts app{.unit = "user@1000.service", .user_unit = "syncthing.service"};
  EXPECT_EQ(group_by({.group = "g", .units = {"syncthing.service"}}, app), "g");
  EXPECT_EQ(group_by({.group = "g", .units = {"user@*.service"}}, app), "g");
}

}  // namespace
}  // namespace smaps_audit
