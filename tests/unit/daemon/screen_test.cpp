// SPDX-License-Identifier: Apache-2.0
#include "daemon/screen.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>

#include "tests/support/fake_kernel_view.h"

namespace smaps_audit::service {
namespace {

std::string stat_of(int threads, char state, const char* flags) {
  return "7 (nginx) " + std::string{state} + " 1 7 7 0 -1 " + flags + " 1 0 0 0 0 0 0 0 20 0 " +
         std::to_string(threads) +
         " 0 100 4096 2 18446744073709551615 4096 8192 12288 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 "
         "0 0 "
         "0 0 0 0\n";
}

std::string status_of(int rss_kib, int tables_kib = 40) {
  return "Name:\tnginx\nUid:\t33\t33\t33\t33\nVmRSS:\t" + std::to_string(rss_kib) +
         " kB\nVmPTE:\t" + std::to_string(tables_kib) + " kB\n";
}

class ScreenerTest : public testing::Test {
 protected:
  ScreenerTest() {
    kernel.set_directory("/proc/7", {"stat", "status", "cgroup", "smaps_rollup"});
    kernel.set_file("/proc/7/stat", stat_of(1, 'S', "4194560"));
    kernel.set_file("/proc/7/status", status_of(8192));
    kernel.set_file("/proc/7/smaps_rollup", rollup_of(8192));
    kernel.set_link("/proc/7/exe", "/usr/sbin/nginx");
    kernel.set_file("/proc/7/cgroup", "0::/web.service\n");
    kernel.set_identity("/proc/7/.", {1, 7, 0});
  }
  static std::string rollup_of(int rss_kib) {
    return "00400000-7ffe0000 ---p 00000000 00:00 0                          [rollup]\nRss:        "
           "    " +
           std::to_string(rss_kib) + " kB\nPss:             4 kB\n";
  }
  auto reads_of(const std::string& name) const {
    return std::count(kernel.calls().begin(), kernel.calls().end(), "open_at /proc/7/" + name);
  }

  FakeKernelView kernel;
  Screener screener{kernel};
};

TEST_F(ScreenerTest, ReadsEachFileOnceASweep) {
  screener.list(7);
  screener.screen(7);
  for (int sweep = 2; sweep <= 5; ++sweep) {
    const auto process = screener.list(7);
    ASSERT_TRUE(process);
    EXPECT_EQ(process->start_time_ticks, 100U);
    EXPECT_EQ(process->cgroup, "/web.service");
    EXPECT_EQ(process->unit, "web.service");
    EXPECT_EQ(process->uid, 33U);
    EXPECT_EQ(process->rss_bytes, 8192U << 10);
    EXPECT_EQ(process->page_table_bytes, 40U << 10);
    const Screening screening = screener.screen(7);
    EXPECT_EQ(screening.problem, "");
    EXPECT_EQ(screening.start_time_ticks, 100U);
    EXPECT_EQ(screening.rollup_rss_bytes, 8192U << 10);
    EXPECT_EQ(screening.rollup_pss_bytes, 4096U);
    EXPECT_FALSE(screening.suspicious);
  }
  EXPECT_EQ(reads_of("stat"), 5);
  EXPECT_EQ(reads_of("smaps_rollup"), 5);
  EXPECT_EQ(reads_of("status"), 6) << "the first list knows nothing";
  EXPECT_EQ(reads_of("cgroup"), 2) << "each fourth time";
  EXPECT_EQ(kernel.open_files(), 0U);
}

TEST_F(ScreenerTest, WhatIsNotScreenedIsListedWithANewStatusEachTime) {
  screener.list(7);
  kernel.set_file("/proc/7/status", status_of(4096, 44));
  EXPECT_EQ(screener.list(7)->rss_bytes, 4096U << 10);
  EXPECT_EQ(screener.list(7)->page_table_bytes, 44U << 10);
}

TEST_F(ScreenerTest, APidThatIsUsedAgainIsReadAnew) {
  screener.list(7);
  kernel.set_identity("/proc/7/.", {1, 77, 0});
  kernel.set_file("/proc/7/cgroup", "0::/other.service\n");
  EXPECT_EQ(screener.screen(7).start_time_ticks, 100U);
  EXPECT_EQ(reads_of("stat"), 2);
  EXPECT_EQ(screener.list(7)->unit, "other.service");
}

TEST_F(ScreenerTest, WhatHasEndedIsForgotten) {
  screener.list(7);
  screener.forget_all_but({8});
  screener.list(7);
  EXPECT_EQ(reads_of("cgroup"), 2);
  screener.forget_all_but({7, 8});
  screener.list(7);
  EXPECT_EQ(reads_of("cgroup"), 2);
}

TEST_F(ScreenerTest, AKernelThreadIsAskedOnce) {
  kernel.set_file("/proc/7/stat", stat_of(1, 'S', "2129984"));
  EXPECT_TRUE(screener.list(7)->kernel_thread);
  const auto again = screener.list(7);
  EXPECT_TRUE(again->kernel_thread);
  EXPECT_EQ(again->start_time_ticks, 100U);
  EXPECT_EQ(reads_of("stat"), 1);
  EXPECT_EQ(reads_of("status"), 0);
}

TEST_F(ScreenerTest, AZombieIsNotListedButALeaderWhoseThreadsLiveIs) {
  kernel.set_file("/proc/7/stat", stat_of(1, 'Z', "4194560"));
  EXPECT_FALSE(screener.list(7));
  kernel.set_file("/proc/7/stat", stat_of(2, 'Z', "4194560"));
  EXPECT_TRUE(screener.list(7));
}

TEST_F(ScreenerTest, WhatIsApartBeforeAndAfterIsSuspicious) {
  kernel.set_file("/proc/7/smaps_rollup", rollup_of(4096));
  const Screening screening = screener.screen(7);
  EXPECT_TRUE(screening.suspicious);
  EXPECT_EQ(reads_of("status"), 2);
}

TEST_F(ScreenerTest, WhatCameOrWentDuringTheReadIsNot) {
  kernel.set_file("/proc/7/smaps_rollup", rollup_of(4096));
  kernel.on_call([&](std::string_view operation, const std::string& path) {
    if (operation == "open_at" && path == "/proc/7/smaps_rollup") {
      kernel.set_file("/proc/7/status", status_of(4096));
    }
  });
  const Screening screening = screener.screen(7);
  EXPECT_FALSE(screening.suspicious);
  EXPECT_EQ(screening.status_rss_bytes, 4096U << 10);
}

TEST_F(ScreenerTest, AMebibyteIsNoGap) {
  kernel.set_file("/proc/7/smaps_rollup", rollup_of(8192 - 1024));
  EXPECT_FALSE(screener.screen(7).suspicious);
  kernel.set_file("/proc/7/smaps_rollup", rollup_of(8192 + 1025));
  EXPECT_TRUE(screener.screen(7).suspicious);
}

TEST_F(ScreenerTest, TheRollupOfTooManyPageTablesIsNotRead) {
  kernel.set_file("/proc/7/status", status_of(8192, 44));
  EXPECT_EQ(screener.screen(7, 44 << 10).problem, "");
  const Screening screening = screener.screen(7, 40 << 10);
  EXPECT_EQ(screening.problem, kTooLarge);
  EXPECT_EQ(screening.status_rss_bytes, 8192U << 10);
  EXPECT_FALSE(screening.rollup_rss_bytes);
  EXPECT_EQ(reads_of("smaps_rollup"), 1);
}

TEST_F(ScreenerTest, WhatCanNotBeReadSaysWhy) {
  EXPECT_EQ(screener.screen(8).problem, "gone");
  for (const char* file : {"/proc/7/stat", "/proc/7/status", "/proc/7/smaps_rollup"}) {
    kernel.set_errno(file, EACCES);
    EXPECT_EQ(screener.screen(7).problem, "permission") << file;
    kernel.set_errno(file, EIO);
    EXPECT_EQ(screener.screen(7).problem, "read_error") << file;
    kernel.set_errno(file, 0);
  }
  kernel.set_file("/proc/7/smaps_rollup", "Rss: x\n");
  EXPECT_EQ(screener.screen(7).problem, "malformed");
}

}  // namespace
}  // namespace smaps_audit::service
