// SPDX-License-Identifier: Apache-2.0
#include "collect/mm_sharing.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "tests/unit/collect/fake_process.h"

namespace smaps_audit {
namespace {

/// Process 7 is the target, and 8 another one, with starts of its own.
class MmSharingTest : public testing::Test {
 protected:
  void SetUp() override {
    process.vmas = {{.range = {0x10000, 0x20000}, .pages = 4}};
    process.publish();
    view.set_directory("/proc/.", {"7", "8"});
    view.set_identity("/proc/./7", {1, 7, 0});
    view.set_identity("/proc/./8", {1, 8, 0});
    view.set_file("/proc/./7/stat", process.stat());
    view.set_file("/proc/./8/stat", stat_of_another());
    set_forks(100);
  }
  Target open() {
    RefusedTarget refused;
    Result<Target> target = Target::open(view, 7, refused);
    EXPECT_TRUE(target.ok());
    return *std::move(target);
  }
  std::string stat_of_another() const {
    FakeKernelView unused;
    FakeProcess another{unused};
    another.start_code = 0x2000;
    return another.stat();
  }
  void set_forks(int count) {
    view.set_file("/proc/stat", "ctxt 1\nprocesses " + std::to_string(count) + "\n");
  }
  auto looks_at(const std::string& pid) const {
    return std::count(view.calls().begin(), view.calls().end(), "open_at /proc/./" + pid + "/stat");
  }
  auto lists() const {
    return std::count(view.calls().begin(), view.calls().end(), "list /proc/.");
  }
  void share_with_8() {
    view.set_file("/proc/./8/stat", process.stat());
    view.set_same_mm(7, 8, true);
  }
  FakeKernelView view;
  FakeProcess process{view};
  MmSharing sharing;
};

using Sharing = MmSharingTest;

TEST_F(Sharing, AnMmIsSharedIfAnotherGroupUsesIt) {
  const Target target = open();
  EXPECT_FALSE(may_share_mm(view, target));
  view.set_file("/proc/./8/stat", process.stat());
  view.set_same_mm(7, 8, false);
  EXPECT_FALSE(may_share_mm(view, target));
  EXPECT_FALSE(MmSharing{}.may_be_shared(view, target));
  view.set_same_mm(7, 8, true);
  EXPECT_TRUE(may_share_mm(view, target));
  EXPECT_TRUE(MmSharing{}.may_be_shared(view, target));
}

TEST_F(Sharing, AnMmIsSharedWithTheThreadsOfALeaderThatExited) {
  const Target target = open();
  view.set_directory("/proc/./8/task", {"8", "9"});
  view.set_file("/proc/./8/task/9/stat", process.stat());
  view.set_same_mm(7, 9, true);
  process.state = 'Z';
  process.threads = 2;
  view.set_file("/proc/./8/stat", process.stat());
  EXPECT_TRUE(may_share_mm(view, target));
  EXPECT_TRUE(sharing.may_be_shared(view, target));
  process.threads = 1;
  view.set_file("/proc/./8/stat", process.stat());
  EXPECT_FALSE(may_share_mm(view, target));
  EXPECT_FALSE(MmSharing{}.may_be_shared(view, target));
}

TEST_F(Sharing, UnknownCountsAsShared) {
  const Target target = open();
  share_with_8();
  view.set_same_mm(7, 8, false);
  view.set_errno("/proc/.", EACCES);
  EXPECT_TRUE(may_share_mm(view, target));
  EXPECT_TRUE(sharing.may_be_shared(view, target));
  view.set_errno("/proc/.", 0);
  EXPECT_FALSE(sharing.may_be_shared(view, target));
}

TEST_F(Sharing, NobodyIsLookedAtTwiceWhileNobodyCame) {
  const Target target = open();
  EXPECT_FALSE(sharing.may_be_shared(view, target));
  EXPECT_FALSE(sharing.may_be_shared(view, target));
  EXPECT_EQ(lists(), 1);
  EXPECT_EQ(looks_at("8"), 1);
  set_forks(101);
  EXPECT_FALSE(sharing.may_be_shared(view, target));
  EXPECT_EQ(lists(), 2);
  EXPECT_EQ(looks_at("8"), 1);
}

TEST_F(Sharing, WhereTheKernelDoesNotCountForksItListsEachTime) {
  const Target target = open();
  for (const char* text : {"ctxt 1\n", "processes x\n", "processes 0\n"}) {
    view.set_file("/proc/stat", text);
    EXPECT_FALSE(sharing.may_be_shared(view, target));
  }
  EXPECT_EQ(lists(), 3);
  view.set_errno("/proc/stat", EACCES);
  EXPECT_FALSE(sharing.may_be_shared(view, target));
  EXPECT_EQ(lists(), 4);
  EXPECT_EQ(looks_at("8"), 1);
}

TEST_F(Sharing, ANewProcessIsSeenAtOnce) {
  const Target target = open();
  EXPECT_FALSE(sharing.may_be_shared(view, target));
  set_forks(101);
  view.set_directory("/proc/.", {"7", "8", "9"});
  view.set_file("/proc/./9/stat", process.stat());
  view.set_identity("/proc/./9", {1, 9, 0});
  view.set_same_mm(7, 9, true);
  EXPECT_TRUE(sharing.may_be_shared(view, target));
}

TEST_F(Sharing, APidThatIsUsedAgainIsSeenAtOnce) {
  const Target target = open();
  EXPECT_FALSE(sharing.may_be_shared(view, target));
  set_forks(101);
  share_with_8();
  view.set_identity("/proc/./8", {1, 88, 0});
  EXPECT_TRUE(sharing.may_be_shared(view, target));
}

TEST_F(Sharing, WhereNobodyCanBeIdentifiedEverybodyIsLookedAtEachTime) {
  const Target target = open();
  view.set_errno("/proc/./8", EACCES);
  EXPECT_FALSE(sharing.may_be_shared(view, target));
  set_forks(101);
  view.set_errno("/proc/./8", EIO);
  EXPECT_FALSE(sharing.may_be_shared(view, target));
  EXPECT_EQ(lists(), 2);
}

// It may have made the target's mm, by an exec behind the first look, and the target.
TEST_F(Sharing, ATargetThatCameLaterMakesItLookAtEverybodyAgain) {
  view.set_directory("/proc/.", {"8"});
  const Target target = open();
  EXPECT_FALSE(sharing.may_be_shared(view, target));
  set_forks(101);
  view.set_directory("/proc/.", {"7", "8"});
  share_with_8();
  EXPECT_TRUE(sharing.may_be_shared(view, target));
}

TEST_F(Sharing, ATargetWithOtherStartsMakesItLookAtEverybodyAgain) {
  EXPECT_FALSE(sharing.may_be_shared(view, open()));
  process.start_stack = 0x8f00;
  process.publish();
  share_with_8();
  EXPECT_TRUE(sharing.may_be_shared(view, open()));
  EXPECT_EQ(lists(), 1);
}

TEST_F(Sharing, ALeaderThatExitsBehindTheLookIsLookedAtAgain) {
  const Target target = open();
  view.set_file("/proc/./8/stat", process.stat());
  view.set_same_mm(7, 8, true);
  EXPECT_TRUE(sharing.may_be_shared(view, target));
  view.set_same_mm(7, 8, false);  // a zombie has no mm
  view.set_same_mm(7, 9, true);
  view.set_directory("/proc/./8/task", {"8", "9"});
  view.set_file("/proc/./8/task/9/stat", process.stat());
  process.state = 'Z';
  process.threads = 2;
  view.set_file("/proc/./8/stat", process.stat());
  EXPECT_TRUE(sharing.may_be_shared(view, target));
}

TEST_F(Sharing, WhatIsHiddenIsLookedAtAgainAfterASecond) {
  const Target target = open();
  FakeKernelView unused;
  FakeProcess hidden{unused};
  hidden.start_code = 1;
  hidden.start_stack = 0;
  view.set_file("/proc/./8/stat", hidden.stat());
  EXPECT_FALSE(sharing.may_be_shared(view, target));
  EXPECT_FALSE(sharing.may_be_shared(view, target));
  EXPECT_EQ(looks_at("8"), 1);
  share_with_8();
  view.set_time(std::chrono::seconds(1010), std::chrono::seconds(0));
  EXPECT_TRUE(sharing.may_be_shared(view, target));
}

TEST_F(Sharing, WhoHasEndedSharesNothing) {
  const Target target = open();
  share_with_8();
  EXPECT_TRUE(sharing.may_be_shared(view, target));
  view.remove("/proc/./8");
  view.set_directory("/proc/.", {"7"});
  view.set_same_mm(7, 8, false);
  EXPECT_FALSE(sharing.may_be_shared(view, target));
  set_forks(101);
  EXPECT_FALSE(sharing.may_be_shared(view, target));
}

// It may have made another, who is not on that list.
TEST_F(Sharing, WhereSomebodyEndsBetweenEachListAndTheLookItIsUnknown) {
  const Target target = open();
  view.remove("/proc/./8");
  EXPECT_TRUE(sharing.may_be_shared(view, target));
  EXPECT_GT(lists(), 2);
}

TEST_F(Sharing, WhoEndsBetweenListAndLookMakesItListAgain) {
  const Target target = open();
  view.remove("/proc/./8");
  EXPECT_FALSE(may_share_mm(view, target));
  EXPECT_EQ(lists(), 2);
}

TEST_F(Sharing, WhoHasEndedAlreadyMakesItListOnceMore) {
  const Target target = open();
  process.state = 'Z';
  view.set_file("/proc/./8/stat", process.stat());
  EXPECT_FALSE(may_share_mm(view, target));
  EXPECT_EQ(lists(), 2);
  EXPECT_FALSE(sharing.may_be_shared(view, target));
  EXPECT_EQ(lists(), 4);
  set_forks(101);
  EXPECT_FALSE(sharing.may_be_shared(view, target));
  EXPECT_EQ(lists(), 5);
}

// Behind the question for the count.
TEST_F(Sharing, WhoSharedItAndHasEndedMayHaveMadeAnother) {
  const Target target = open();
  share_with_8();
  EXPECT_TRUE(sharing.may_be_shared(view, target));
  view.remove("/proc/./8");
  view.set_same_mm(7, 8, false);
  view.set_directory("/proc/.", {"7", "9"});
  view.set_file("/proc/./9/stat", process.stat());
  view.set_identity("/proc/./9", {1, 9, 0});
  view.set_same_mm(7, 9, true);
  EXPECT_TRUE(sharing.may_be_shared(view, target));
}

// Else one that is looked at before the target's pid is used again would count as seen beside it.
TEST_F(Sharing, AllAreIdentifiedBeforeAnybodyIsLookedAt) {
  view.set_directory("/proc/.", {"8", "7"});
  const Target target = open();
  const auto opened = static_cast<std::ptrdiff_t>(view.calls().size());
  EXPECT_FALSE(sharing.may_be_shared(view, target));
  const auto position = [&](const char* call) {
    return std::find(view.calls().begin() + opened, view.calls().end(), call);
  };
  ASSERT_NE(position("open_at /proc/./8/stat"), view.calls().end());
  EXPECT_LT(position("identify /proc/./7"), position("open_at /proc/./8/stat"));
}

}  // namespace
}  // namespace smaps_audit
