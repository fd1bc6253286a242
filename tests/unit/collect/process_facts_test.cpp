// SPDX-License-Identifier: Apache-2.0
#include "collect/process_facts.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "collect/live_kernel_view.h"
#include "tests/support/fake_kernel_view.h"

namespace smaps_audit {
namespace {

TextFact absent() { return {.state = FactState::absent}; }

TextFact fact(std::string text) { return {.state = FactState::there, .text = std::move(text)}; }

class ProcessFactsTest : public testing::Test {
 protected:
  ProcessFactsTest() {
    kernel.set_directory("/proc/7", {"comm", "status", "cgroup"});
    kernel.set_file("/proc/7/comm", "nginx\n");
    kernel.set_file("/proc/7/status", "Name:\tnginx\nUid:\t33\t34\t35\t36\n");
    kernel.set_link("/proc/7/exe", "/usr/sbin/nginx");
    kernel.set_file("/proc/7/cgroup", "0::/system.slice/nginx.service\n");
  }
  ProcessFacts read() {
    const auto facts = read_process_facts(kernel, 7);
    EXPECT_TRUE(facts.ok());
    return facts ? *facts : ProcessFacts{};
  }

  FakeKernelView kernel;
};

TEST_F(ProcessFactsTest, AreWhoItIs) {
  const ProcessFacts facts = read();
  EXPECT_EQ(facts.comm, fact("nginx"));
  EXPECT_EQ(facts.executable, fact("/usr/sbin/nginx"));
  EXPECT_EQ(facts.uid, 33U);
  EXPECT_EQ(facts.cgroup.path, fact("/system.slice/nginx.service"));
  EXPECT_EQ(facts.cgroup.unit, fact("nginx.service"));
  EXPECT_EQ(facts.cgroup.user_unit, absent());
}

TEST_F(ProcessFactsTest, NeverComeFromItsMemory) {
  read();
  for (const std::string& call : kernel.calls()) {
    EXPECT_EQ(call.find("cmdline"), std::string::npos);
    EXPECT_EQ(call.find("environ"), std::string::npos);
  }
  EXPECT_EQ(kernel.open_files(), 0U);
}

TEST_F(ProcessFactsTest, TakeAnyNameForWhatItIs) {
  kernel.set_file("/proc/7/comm", ") R 1\n(x\xFF\n\n");
  EXPECT_EQ(read().comm, fact(") R 1\n(x\xFF\n"));
  kernel.set_file("/proc/7/comm", "\n");
  EXPECT_EQ(read().comm, fact(""));
}

TEST_F(ProcessFactsTest, ForgetThatAProgramWasReplaced) {
  kernel.set_link("/proc/7/exe", "/usr/sbin/nginx (deleted)");
  EXPECT_EQ(read().executable, fact("/usr/sbin/nginx"));
}

TEST_F(ProcessFactsTest, AbsentIsNotUnreadable) {
  kernel.set_errno("/proc/7/exe", ENOENT);
  kernel.set_errno("/proc/7/cgroup", ENOENT);
  EXPECT_EQ(read().executable.state, FactState::absent);
  EXPECT_EQ(read().cgroup.path.state, FactState::absent);
  EXPECT_EQ(read().cgroup.unit.state, FactState::absent);
  kernel.set_errno("/proc/7/exe", EACCES);
  kernel.set_errno("/proc/7/cgroup", EIO);
  EXPECT_EQ(read().executable.state, FactState::unreadable);
  EXPECT_EQ(read().cgroup.path.state, FactState::unreadable);
  EXPECT_EQ(read().cgroup.unit.state, FactState::unreadable);
}

TEST_F(ProcessFactsTest, WhatMakesNoSenseIsUnreadable) {
  kernel.set_file("/proc/7/cgroup", "nonsense\n");
  kernel.set_file("/proc/7/status", "Name:\tnginx\nUid:\tmany\n");
  EXPECT_EQ(read().cgroup.path.state, FactState::unreadable);
  EXPECT_EQ(read().uid, std::nullopt);
  kernel.set_errno("/proc/7/status", EACCES);
  kernel.set_errno("/proc/7/comm", EACCES);
  EXPECT_EQ(read().uid, std::nullopt);
  EXPECT_EQ(read().comm.state, FactState::unreadable);
}

TEST_F(ProcessFactsTest, OfNobodyAreGone) {
  EXPECT_EQ(read_process_facts(kernel, 8).error().code, ErrorCode::gone);
  kernel.on_call([this](std::string_view operation, const std::string& path) {
    if (operation == "read_link" && path == "/proc/7/exe") kernel.remove("/proc/7");
  });
  EXPECT_EQ(read_process_facts(kernel, 7).error().code, ErrorCode::gone);
}

TEST(ProcessFacts, OfThisProcessAreRight) {
  LiveKernelView view;
  const auto facts = read_process_facts(view, ::getpid());
  ASSERT_TRUE(facts.ok());
  EXPECT_EQ(facts->uid, ::getuid());
  EXPECT_EQ(facts->executable.text, std::filesystem::read_symlink("/proc/self/exe"));
  EXPECT_EQ(facts->comm.state, FactState::there);
  EXPECT_NE(facts->cgroup.path.state, FactState::unreadable);
}

}  // namespace
}  // namespace smaps_audit
