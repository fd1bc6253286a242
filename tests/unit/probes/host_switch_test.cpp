// SPDX-License-Identifier: Apache-2.0
#include "probes/host_switch.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>

#include "collect/live_kernel_view.h"

namespace smaps_audit::probes {
namespace {

class HostSwitches : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ = ::testing::TempDir() + "switch-" + std::to_string(::getpid());
    write("0\n");
  }
  void TearDown() override { std::filesystem::remove(path_); }

  void write(const std::string& text) const { std::ofstream{path_} << text; }
  [[nodiscard]] std::string text() const {
    std::string line;
    std::getline(std::ifstream{path_}, line);
    return line;
  }
  Result<HostSwitch> turn_on() {
    return HostSwitch::turn(
        view_, path_, [](std::uint64_t before) { return before | 1; }, [this] { return stopped_; });
  }

  LiveKernelView view_;
  std::string path_;
  bool stopped_ = false;
};

TEST_F(HostSwitches, PutsTheOldValueBack) {
  write("2\n");
  {
    const auto turned = turn_on();
    ASSERT_TRUE(turned.ok()) << turned.error().message();
    EXPECT_EQ(text(), "3");
  }
  EXPECT_EQ(text(), "2");
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a guardian was left behind";
}

TEST_F(HostSwitches, LeavesAloneWhatSomebodyElseHasChanged) {
  {
    const auto turned = turn_on();
    ASSERT_TRUE(turned.ok());
    write("4\n");
  }
  EXPECT_EQ(text(), "4");
}

TEST_F(HostSwitches, WritesNothingWhereItIsOn) {
  write("1\n");
  std::filesystem::permissions(path_, std::filesystem::perms::owner_all);
  const auto before = std::filesystem::last_write_time(path_);
  { ASSERT_TRUE(turn_on().ok()); }
  EXPECT_EQ(std::filesystem::last_write_time(path_), before);
}

TEST_F(HostSwitches, PutsTheOldValueBackWhenTheProcessIsKilled) {
  const pid_t process = ::fork();
  if (process == 0) {
    const auto turned = turn_on();
    while (true) ::pause();
  }
  const auto becomes = [this](const char* value) {
    for (int attempt = 0; attempt < 1000 && text() != value; ++attempt) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return text() == value;
  };
  EXPECT_TRUE(becomes("1"));
  ::kill(process, SIGKILL);
  ::waitpid(process, nullptr, 0);
  EXPECT_TRUE(becomes("0"));
}

TEST_F(HostSwitches, WaitsForNoChildThatWasForkedMeanwhile) {
  auto turned = turn_on();
  ASSERT_TRUE(turned.ok());
  const pid_t child = ::fork();  // it holds every descriptor that we do
  if (child == 0) {
    while (true) ::pause();
  }
  { const auto ended = *std::move(turned); }
  EXPECT_EQ(text(), "0");
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

TEST_F(HostSwitches, TellsThatThereIsNone) {
  std::filesystem::remove(path_);
  const auto turned = turn_on();
  ASSERT_FALSE(turned.ok());
  EXPECT_EQ(turned.error().code, ErrorCode::unsupported);
}

TEST_F(HostSwitches, RefusesWhatIsNoNumber) {
  write("always [madvise] never\n");
  const auto turned = turn_on();
  ASSERT_FALSE(turned.ok());
  EXPECT_EQ(turned.error().code, ErrorCode::malformed);
  EXPECT_EQ(text(), "always [madvise] never");
}

TEST_F(HostSwitches, WaitsForAnotherRunUntilItIsStopped) {
  const auto first = turn_on();
  ASSERT_TRUE(first.ok());
  stopped_ = true;
  const auto second = turn_on();
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, ErrorCode::deadline);
}

}  // namespace
}  // namespace smaps_audit::probes
