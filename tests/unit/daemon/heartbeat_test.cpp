// SPDX-License-Identifier: Apache-2.0
#include "daemon/heartbeat.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>

#include "collect/live_kernel_view.h"
#include "collect/target.h"

namespace smaps_audit::service {
namespace {

using namespace std::chrono_literals;

class HeartbeatTest : public testing::Test {
 protected:
  [[nodiscard]] Heartbeat now() const { return read_heartbeat(file_).value_or(Heartbeat{}); }

  UniqueFd file_ = *make_heartbeat_file();
  HeartbeatWriter heart_ = *HeartbeatWriter::of(UniqueFd{::dup(file_.get())});
  LiveKernelView live_;
  HeartbeatView view_{live_, heart_};
};

TEST_F(HeartbeatTest, BeatsWithEachRead) {
  EXPECT_EQ(now().reads, 0U);
  const auto file = view_.open(KernelRoot::proc, "self/stat");
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(now().reads, 1U);
  std::array<std::byte, 16> buffer{};
  ASSERT_TRUE(view_.read(*file, buffer).ok());
  EXPECT_EQ(now().reads, 2U);
  EXPECT_FALSE(view_.open(KernelRoot::proc, "no/such").ok());
  EXPECT_EQ(now().reads, 3U) << "an error is an end too";
}

TEST_F(HeartbeatTest, BeatsThroughAPause) {
  view_.sleep_for(600ms);
  EXPECT_GE(now().reads, 2U);
}

TEST_F(HeartbeatTest, SaysWhoseFilesAreRead) {
  const std::string pid = std::to_string(::getpid());
  const auto directory = view_.open_directory(KernelRoot::proc, pid);
  EXPECT_EQ(now().pid, ::getpid());
  const auto host = view_.open(KernelRoot::proc, "stat");
  EXPECT_EQ(now().pid, 0);
  ASSERT_TRUE(read_file(view_, *directory, "stat").ok());
  EXPECT_EQ(now().pid, ::getpid());
  static_cast<void>(view_.open(KernelRoot::sys, "kernel"));
  EXPECT_EQ(now().pid, 0);
  const auto root = view_.open_directory(KernelRoot::proc, ".");
  ASSERT_TRUE(view_.open_at(*root, pid + "/stat").ok());
  EXPECT_EQ(now().pid, ::getpid()) << "below the root as well";
  ASSERT_TRUE(view_.list(*root).ok());
  EXPECT_EQ(now().pid, 0);
}

TEST_F(HeartbeatTest, KnowsEachCallByItsProcess) {
  const std::string pid = std::to_string(::getpid());
  const auto directory = view_.open_directory(KernelRoot::proc, pid);
  const auto pagemap = view_.open_at(*directory, "pagemap");
  ASSERT_TRUE(pagemap.ok());
  const auto expect_ours = [this](const char* what) {
    EXPECT_EQ(now().pid, ::getpid()) << what;
    heart_.at(0);
  };
  std::array<std::byte, 8> entry{};
  std::array<PageRegion, 1> regions{};
  static_cast<void>(view_.pread(*pagemap, entry, 0));
  expect_ours("pread");
  static_cast<void>(view_.rewind(*pagemap));
  expect_ours("rewind");
  static_cast<void>(view_.pagemap_scan(*pagemap, 0, 4096, 1, 1, regions));
  expect_ours("pagemap_scan");
  static_cast<void>(view_.procmap_query(*pagemap, 0));
  expect_ours("procmap_query");
  static_cast<void>(view_.read_link(*directory, "exe"));
  expect_ours("read_link");
  static_cast<void>(view_.identify(*directory, "exe"));
  expect_ours("identify");
  static_cast<void>(view_.owner(*directory));
  expect_ours("owner");
  static_cast<void>(view_.open_directory_at(*directory, "task"));
  expect_ours("open_directory_at");
  static_cast<void>(view_.process_exists(::getpid()));
  expect_ours("process_exists");
  static_cast<void>(view_.same_mm(::getpid(), ::getpid()));
  expect_ours("same_mm");
}

TEST_F(HeartbeatTest, IsUnknownWhereTheFileWasCutShort) {
  ASSERT_EQ(::ftruncate(file_.get(), 3), 0);
  EXPECT_FALSE(read_heartbeat(file_));
  EXPECT_FALSE(read_heartbeat(UniqueFd{}));
}

TEST_F(HeartbeatTest, TakesNoPidThatIsNone) {
  const std::array<std::uint64_t, 2> words{7, std::uint64_t{1} << 40};
  ASSERT_EQ(::pwrite(file_.get(), words.data(), sizeof words, 0),
            static_cast<ssize_t>(sizeof words));
  EXPECT_EQ(now().reads, 7U);
  EXPECT_EQ(now().pid, 0);
}

TEST(Heartbeat, TakesNoFileThatCannotBeMapped) {
  EXPECT_FALSE(HeartbeatWriter::of(UniqueFd{}).ok());
}

}  // namespace
}  // namespace smaps_audit::service
