// SPDX-License-Identifier: Apache-2.0
#include "collect/host_memory.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "tests/support/fake_kernel_view.h"

namespace smaps_audit {
namespace {

std::string stat_line(int pid, char state, unsigned flags, int threads, int start) {
  std::string line = std::to_string(pid) + " (p) " + state + " 1 1 1 0 -1 " + std::to_string(flags);
  for (int field = 10; field <= 52; ++field) {
    line += " " + std::to_string(field == 20 ? threads : field == 22 ? start : 0);
  }
  return line + "\n";
}

std::string rollup_of(int kib, const std::string& start) {
  const std::string value = std::to_string(kib) + " kB\n";
  return start + "-7ffc00000000 ---p 00000000 00:00 0                          [rollup]\n" +
         "Rss:   " + value + "Pss:   " + value + "Pss_Anon: " + value +
         "Pss_File: 8 kB\nPss_Shmem: 4 kB\nAnonHugePages: 0 kB\n";
}

/// Process 7 with 100 kB, process 8 with 200 kB, a kernel thread and a zombie: 5 threads.
class HostMemoryTest : public testing::Test {
 protected:
  HostMemoryTest() {
    kernel.set_directory("/proc/.", {"2", "7", "8", "9", "self", "meminfo"});
    kernel.set_file("/proc/loadavg", "0.1 0.1 0.1 1/5 9\n");
    kernel.set_file("/proc/meminfo", "MemTotal: 1000 kB\nAnonPages: 300 kB\nMapped: 24 kB\n");
    kernel.set_file("/proc/self/mountinfo", "1 1 8:1 / / rw - ext4 /dev/vda rw\n");
    kernel.set_file("/proc/2/stat", stat_line(2, 'S', 0x00200000, 1, 1));
    kernel.set_file("/proc/9/stat", stat_line(9, 'Z', 0, 1, 5));
    add(7, 2, 100, "55d700000000");
    add(8, 1, 200, "55d800000000");
  }

  void add(int pid, int threads, int kib, const std::string& start) {
    const std::string directory = "/proc/" + std::to_string(pid);
    kernel.set_file(directory + "/stat", stat_line(pid, 'S', 0, threads, pid));
    kernel.set_file(directory + "/smaps_rollup", rollup_of(kib, start));
  }

  FakeKernelView kernel;
};

TEST_F(HostMemoryTest, AddsUpWhatHasMemory) {
  const auto memory = read_host_memory(kernel, std::nullopt);
  ASSERT_TRUE(memory.has_value());
  ASSERT_EQ(memory->shares.size(), 2U);
  EXPECT_EQ(memory->shares[0].pid, 7);
  EXPECT_EQ(memory->shares[0].pss_anon, 100U * 1024);
  EXPECT_EQ(memory->shares[0].pss_shared, 12U * 1024);
  EXPECT_EQ(memory->before.anon_pages, 300U * 1024);
  EXPECT_EQ(memory->after.mapped, 24U * 1024);
  EXPECT_FALSE(memory->device_memory);
}

TEST_F(HostMemoryTest, IsNotWholeWhereThreadsAreHidden) {
  kernel.set_file("/proc/loadavg", "0.1 0.1 0.1 1/6 9\n");
  EXPECT_FALSE(read_host_memory(kernel, std::nullopt).has_value());
}

TEST_F(HostMemoryTest, IsNotWholeWhereAProcessCannotBeRead) {
  kernel.set_errno("/proc/8/smaps_rollup", EACCES);
  EXPECT_FALSE(read_host_memory(kernel, std::nullopt).has_value());
}

TEST_F(HostMemoryTest, IsNotWholeWhereAProcessComesMeanwhile) {
  bool came = false;
  kernel.on_call([&](std::string_view, const std::string& path) {
    if (came || path != "/proc/8/smaps_rollup") return;
    came = true;
    kernel.set_directory("/proc/.", {"2", "7", "8", "9", "10"});
    kernel.set_file("/proc/loadavg", "0.1 0.1 0.1 1/6 9\n");
    add(10, 1, 400, "55da00000000");
  });
  EXPECT_FALSE(read_host_memory(kernel, std::nullopt).has_value());
}

TEST_F(HostMemoryTest, IsNotWholeWhereADeadLeaderHasLiveThreads) {
  kernel.set_file("/proc/9/stat", stat_line(9, 'Z', 0, 2, 5));
  kernel.set_file("/proc/loadavg", "0.1 0.1 0.1 1/6 9\n");
  EXPECT_FALSE(read_host_memory(kernel, std::nullopt).has_value());
}

TEST_F(HostMemoryTest, CountsASharedAddressSpaceOnce) {
  add(8, 1, 100, "55d700000000");
  EXPECT_FALSE(read_host_memory(kernel, std::nullopt).has_value()) << "no kcmp: nobody knows";
  kernel.set_same_mm(7, 8, true);
  EXPECT_EQ(read_host_memory(kernel, std::nullopt)->shares.size(), 1U);
  kernel.set_same_mm(7, 8, false);
  EXPECT_EQ(read_host_memory(kernel, std::nullopt)->shares.size(), 2U);
}

TEST_F(HostMemoryTest, IsNotWholeWithoutTheCountersOfTheHost) {
  kernel.set_file("/proc/meminfo", "AnonPages: x kB\n");
  EXPECT_FALSE(read_host_memory(kernel, std::nullopt).has_value());
}

TEST_F(HostMemoryTest, ReadsTheCgroupAndWhoIsInIt) {
  const CgroupQuestion question{.memory_stat = "fs/cgroup/a/memory.stat",
                                .is_member = [](int pid) { return pid == 8; }};
  EXPECT_FALSE(read_host_memory(kernel, question).has_value()) << "no memory.stat";
  kernel.set_file("/sys/fs/cgroup/a/memory.stat", "anon 4096\n");
  const auto memory = read_host_memory(kernel, question);
  ASSERT_TRUE(memory.has_value());
  EXPECT_EQ(memory->stat_after->anon, 4096U);
  EXPECT_FALSE(memory->shares[0].member);
  EXPECT_TRUE(memory->shares[1].member);
}

TEST_F(HostMemoryTest, SeesMemoryThatIsADevice) {
  kernel.set_directory("/sys/bus/dax/devices", {"dax0.0"});
  EXPECT_TRUE(read_host_memory(kernel, std::nullopt)->device_memory);
  kernel.set_directory("/sys/bus/dax/devices", {});
  EXPECT_FALSE(read_host_memory(kernel, std::nullopt)->device_memory);
  kernel.set_file("/proc/self/mountinfo", "1 1 8:1 / / rw - xfs /dev/pmem0 rw,dax=always\n");
  EXPECT_TRUE(read_host_memory(kernel, std::nullopt)->device_memory);
}

}  // namespace
}  // namespace smaps_audit
