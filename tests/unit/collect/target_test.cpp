// SPDX-License-Identifier: Apache-2.0
#include "collect/target.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "tests/unit/collect/fake_process.h"

namespace smaps_audit {
namespace {

class TargetTest : public testing::Test {
 protected:
  void SetUp() override {
    process.vmas = {{.range = {0x10000, 0x20000}, .pages = 4}};
    process.publish();
  }
  Target open() {
    Result<Target> target = Target::open(view, 7, refused);
    EXPECT_TRUE(target.ok());
    return *std::move(target);
  }
  Refusal refusal() {
    EXPECT_FALSE(Target::open(view, 7, refused).ok());
    return refused.why;
  }
  FakeKernelView view;
  FakeProcess process{view};
  RefusedTarget refused;
};

TEST_F(TargetTest, KnowsWhoItIs) {
  const Target target = open();
  EXPECT_EQ(target.pid(), 7);
  EXPECT_EQ(target.comm(), "fake");
  EXPECT_EQ(target.start_time_ticks(), 4711u);
  EXPECT_EQ(target.start_code(), 0x1000u);
  EXPECT_TRUE(target.still_same(view, 0x10).ok());
}

TEST_F(TargetTest, ReadsItsNumbers) {
  const Target target = open();
  EXPECT_EQ(*target.faults(view), 10u);
  EXPECT_EQ(target.status(view)->vm_rss, 4u * 4096);
  EXPECT_EQ(target.statm(view)->resident_pages, 4u);
}

TEST_F(TargetTest, RefusesByWhatIsWrong) {
  process.state = 'Z';
  process.publish();
  EXPECT_EQ(refusal(), Refusal::zombie);
  process.flags = "2097152";
  process.publish();
  EXPECT_EQ(refusal(), Refusal::kernel_thread);
  view.set_file("/proc/7/stat", "7 (x\n");
  EXPECT_EQ(refusal(), Refusal::malformed);
  view.set_errno("/proc/7/stat", EACCES);
  EXPECT_EQ(refusal(), Refusal::denied);
  view.set_process(7, false);
  view.remove("/proc/7");
  EXPECT_EQ(refusal(), Refusal::gone);
}

TEST_F(TargetTest, WithoutAnAddressSpaceItIsGone) {
  view.set_file("/proc/7/maps", "");
  EXPECT_EQ(refusal(), Refusal::gone);
}

TEST_F(TargetTest, ALeaderThatExitedLeavesItsMemoryToItsThreads) {
  view.set_file("/proc/7/maps", "");
  view.set_directory("/proc/7/task", {"7", "8", "9"});
  for (const char* name : {"smaps", "pagemap", "status", "statm", "numa_maps"}) {
    view.set_file(std::string{"/proc/7/task/9/"} + name, "");
  }
  view.set_file("/proc/7/task/9/maps", "00010000-00020000 rw-p 00000000 00:00 0 \n");
  view.set_file("/proc/7/task/9/stat", process.stat());
  process.state = 'Z';
  process.threads = 3;
  process.start_code = 0;
  view.set_file("/proc/7/stat", process.stat());
  for (const int errno_value : {0, ESRCH}) {  // empty files, or from 6.14 none at all
    view.set_errno("/proc/7/smaps", errno_value);
    const Target target = open();
    EXPECT_EQ(target.smaps().path(), "/proc/7/task/9/smaps");
    EXPECT_EQ(target.mm_task(), 9);
    EXPECT_EQ(target.start_code(), 0x1000u);
    EXPECT_EQ(*target.fate(view), Fate::same);
  }
  process.threads = 1;
  view.set_file("/proc/7/stat", process.stat());
  EXPECT_EQ(refusal(), Refusal::zombie);
}

TEST_F(TargetTest, AKernelWithoutPagemapIsNoProcessThatIsGone) {
  view.remove("/proc/7/pagemap");
  EXPECT_EQ(refusal(), Refusal::no_pagemap);
  EXPECT_EQ(refused.error.code, ErrorCode::unsupported);
  process.publish();
  view.set_errno("/proc/7/pagemap", ESRCH);
  EXPECT_EQ(refusal(), Refusal::gone);
}

TEST_F(TargetTest, AnErrorOfOursIsNoProcessThatIsGone) {
  for (const int errno_value : {EIO, ENOMEM, EMFILE}) {
    for (const char* file : {"/proc/7", "/proc/7/stat", "/proc/7/smaps", "/proc/7/maps"}) {
      view.set_errno(file, errno_value);
      EXPECT_EQ(refusal(), Refusal::unreadable) << file;
      view.set_errno(file, 0);
    }
  }
}

TEST_F(TargetTest, TellsWhatBecameOfIt) {
  const Target target = open();
  EXPECT_EQ(*target.fate(view), Fate::same);
  process.start_stack = 0x8f00;
  process.publish();
  EXPECT_EQ(*target.fate(view), Fate::executed);
  process.flags = "4194564";  // PF_EXITING: no start of the stack is told any more
  process.publish();
  EXPECT_EQ(*target.fate(view), Fate::exited);
  process.threads = 2;
  process.publish();
  EXPECT_EQ(*target.fate(view), Fate::replaced);
  process.start_time = 4712;
  process.publish();
  EXPECT_EQ(*target.fate(view), Fate::replaced);
  view.set_errno("/proc/7/stat", ESRCH);
  EXPECT_EQ(*target.fate(view), Fate::exited);
}

TEST_F(TargetTest, IsAnotherOneAfterAnExec) {
  const Target target = open();
  process.start_stack = 0x8f00;
  process.publish();
  ASSERT_FALSE(target.still_same(view, 0x10).ok());
  EXPECT_EQ(target.still_same(view, 0x10).error().code, ErrorCode::gone);
}

TEST_F(TargetTest, IsAnotherOneIfItsExecutableIs) {
  const Target target = open();
  view.set_identity("/proc/7/exe", {.device = 1, .inode = 99, .change_time_ns = 3});
  EXPECT_FALSE(target.still_same(view, 0x10).ok());
}

TEST_F(TargetTest, IsGoneIfItsPagemapSpeaksOfNothing) {
  const Target target = open();
  view.set_words("/proc/7/pagemap", {}, 0x10);
  EXPECT_FALSE(target.still_same(view, 0x10).ok());
  EXPECT_TRUE(target.still_same(view, 0xf).ok());
}

TEST_F(TargetTest, AnUnreadableExecutableIsNotAnExec) {
  const Target target = open();
  view.set_errno("/proc/7/exe", EIO);
  ASSERT_FALSE(target.still_same(view, 0x10).ok());
  EXPECT_EQ(target.still_same(view, 0x10).error().code, ErrorCode::io);
}

TEST_F(TargetTest, AnExecutableThatWasNeverToldMayStayUntold) {
  view.set_errno("/proc/7/exe", EACCES);
  const Target target = open();
  EXPECT_TRUE(target.still_same(view, 0x10).ok());
}

TEST_F(TargetTest, ReadWholeHasALimitThatIsAnError) {
  view.set_file("/proc/long", std::string(10000, 'x'));
  const auto file = view.open(KernelRoot::proc, "long");
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(read_whole(view, *file)->size(), 10000u);
  const auto cut = read_whole(view, *file, 5000);
  ASSERT_FALSE(cut.ok());
  EXPECT_EQ(cut.error().code, ErrorCode::truncated);
}

}  // namespace
}  // namespace smaps_audit
