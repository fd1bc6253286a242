// SPDX-License-Identifier: Apache-2.0
#include "probes/own_cgroup.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <thread>

#include "collect/live_kernel_view.h"
#include "collect/target.h"

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

/// Cgroups of ours that this process and its children made.
class OwnCgroups : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto mounts = read_file(view_, KernelRoot::proc, "self/mountinfo");
    const auto own = read_file(view_, KernelRoot::proc, "self/cgroup");
    const auto mount = mounts ? cgroup2_mount(*mounts) : std::nullopt;
    const auto below = own ? cgroup2_path(*own) : std::nullopt;
    if (!mount || !below) GTEST_SKIP() << "no cgroups of the second version here";
    directory_ = *mount + *below;
    if (::access(directory_.c_str(), W_OK) != 0) GTEST_SKIP() << "we may make no cgroup here";
  }
  [[nodiscard]] bool holds_one_of(pid_t maker) const {
    const std::string name = "smaps-audit-probe-" + std::to_string(maker) + "-";
    for (const auto& entry : std::filesystem::directory_iterator{directory_}) {
      if (entry.path().filename().string().starts_with(name)) return true;
    }
    return false;
  }

  LiveKernelView view_;
  std::string directory_;
};

TEST_F(OwnCgroups, GoWithTheirObject) {
  const pid_t member = ::fork();
  if (member == 0) {
    while (true) ::pause();
  }
  {
    const auto cgroup = OwnCgroup::create(view_, std::uint64_t{64} << 20);
    ASSERT_TRUE(cgroup.has_value());
    EXPECT_TRUE(cgroup->admit(member));
    EXPECT_TRUE(holds_one_of(::getpid()));
  }
  EXPECT_FALSE(holds_one_of(::getpid()));
  int status = 0;
  EXPECT_EQ(::waitpid(member, &status, 0), member);
  EXPECT_TRUE(WIFSIGNALED(status));
}

TEST_F(OwnCgroups, GoWithAProcessThatIsKilled) {
  std::array<int, 2> made{};
  ASSERT_EQ(::pipe(made.data()), 0);
  const pid_t maker = ::fork();
  if (maker == 0) {
    const auto cgroup = OwnCgroup::create(view_, std::uint64_t{64} << 20);
    const char done = cgroup ? 'y' : 'n';
    if (::write(made[1], &done, 1) != 1) ::_exit(1);
    while (true) ::pause();
  }
  char done = 0;
  ASSERT_EQ(::read(made[0], &done, 1), 1);
  EXPECT_EQ(done, 'y');
  EXPECT_TRUE(holds_one_of(maker));
  ::kill(maker, SIGKILL);
  ::waitpid(maker, nullptr, 0);
  for (int attempt = 0; attempt < 1000 && holds_one_of(maker); ++attempt) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_FALSE(holds_one_of(maker));
  ::close(made[0]);
  ::close(made[1]);
}

}  // namespace
}  // namespace smaps_audit::probes
