// SPDX-License-Identifier: Apache-2.0
#include "collect/host.h"

#include <gtest/gtest.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>

#include "collect/live_kernel_view.h"
#include "tests/support/failing_kernel_view.h"
#include "tests/support/fake_kernel_view.h"

namespace smaps_audit {
namespace {

const std::string kThp = "/sys/kernel/mm/transparent_hugepage/";

void set_host(FakeKernelView& kernel) {
  kernel.set_file("/proc/sys/kernel/osrelease", "6.1.0-56-cloud-amd64\n");
  kernel.set_file("/proc/sys/kernel/random/boot_id", "c0ffee00-0000-4000-8000-000000000001\n");
  kernel.set_file("/proc/sys/kernel/arch", "x86_64\n");
  kernel.set_file("/proc/sys/kernel/numa_balancing", "1\n");
  kernel.set_file(kThp + "hpage_pmd_size", "2097152\n");
  kernel.set_file(kThp + "enabled", "always [madvise] never\n");
  kernel.set_file("/sys/devices/system/cpu/online", "0-3,8\n");
  kernel.set_file("/sys/devices/system/node/online", "0-1\n");
}

TEST(HostInfo, IsReadThroughTheView) {
  FakeKernelView kernel;
  set_host(kernel);
  const Result<HostInfo> host = read_host_info(kernel);
  ASSERT_TRUE(host) << host.error().message();
  EXPECT_EQ(host->kernel_release, "6.1.0-56-cloud-amd64");
  EXPECT_EQ(host->machine, "x86_64");
  EXPECT_EQ(host->boot_id, "c0ffee00-0000-4000-8000-000000000001");
  EXPECT_EQ(host->pages.page_bytes, static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)));
  EXPECT_EQ(host->pages.pmd_bytes, 2097152u);
  EXPECT_FALSE(host->pmd_bytes_assumed);
  EXPECT_EQ(host->cpus, 5u);
  EXPECT_EQ(host->numa_nodes, 2u);
  EXPECT_EQ(host->numa_balancing, 1u);
  EXPECT_EQ(host->thp, "madvise");
  EXPECT_EQ(kernel.open_files(), 0u);
}

TEST(HostInfo, SaysNothingOfWhatIsNotReadable) {
  FakeKernelView kernel;
  kernel.set_file("/proc/sys/kernel/osrelease", "5.10.0\n");
  kernel.set_file("/proc/sys/kernel/random/boot_id", "b\n");
  const Result<HostInfo> host = read_host_info(kernel);
  ASSERT_TRUE(host) << host.error().message();
  utsname names{};
  ASSERT_EQ(::uname(&names), 0);
  EXPECT_EQ(host->machine, &names.machine[0]);
  EXPECT_EQ(host->pages.pmd_bytes, 2097152u);
  EXPECT_TRUE(host->pmd_bytes_assumed);
  EXPECT_FALSE(host->cpus);
  EXPECT_FALSE(host->numa_nodes);
  EXPECT_FALSE(host->numa_balancing);
  EXPECT_FALSE(host->thp);
}

TEST(HostInfo, SaysNothingOfWhatMakesNoSense) {
  FakeKernelView kernel;
  set_host(kernel);
  kernel.set_file("/proc/sys/kernel/numa_balancing", "yes\n");
  kernel.set_file(kThp + "hpage_pmd_size", "0\n");
  kernel.set_file(kThp + "enabled", "always madvise never\n");
  kernel.set_file("/sys/devices/system/cpu/online", "3-1\n");
  const Result<HostInfo> host = read_host_info(kernel);
  ASSERT_TRUE(host);
  EXPECT_TRUE(host->pmd_bytes_assumed);
  EXPECT_FALSE(host->cpus);
  EXPECT_FALSE(host->numa_balancing);
  EXPECT_FALSE(host->thp);
}

TEST(HostInfo, IsAnErrorWithoutReleaseOrBootId) {
  for (const std::string path : {"/proc/sys/kernel/osrelease", "/proc/sys/kernel/random/boot_id"}) {
    FakeKernelView kernel;
    set_host(kernel);
    kernel.set_errno(path, EACCES);
    const Result<HostInfo> host = read_host_info(kernel);
    ASSERT_FALSE(host);
    EXPECT_EQ(host.error().code, ErrorCode::denied);
    EXPECT_EQ(host.error().file, path);
  }
}

TEST(HostInfo, EndsWhateverCallFails) {
  for (std::uint64_t call = 1; call < 30; ++call) {
    FakeKernelView kernel;
    set_host(kernel);
    FailingKernelView failing{kernel};
    failing.fail_call(call, EIO);
    const Result<HostInfo> host = read_host_info(failing);
    if (!host) {
      EXPECT_EQ(host.error().errno_value, EIO);
    }
    EXPECT_EQ(kernel.open_files(), 0u);
  }
}

TEST(HostInfo, RefusesAFileWithoutEnd) {
  FakeKernelView kernel;
  set_host(kernel);
  kernel.set_file("/proc/sys/kernel/osrelease", std::string(100'000, '6'));
  const Result<HostInfo> host = read_host_info(kernel);
  ASSERT_FALSE(host);
  EXPECT_EQ(host.error().code, ErrorCode::malformed);
}

TEST(HostInfo, IsKnownOfThisMachine) {
  LiveKernelView kernel;
  const Result<HostInfo> host = read_host_info(kernel);
  ASSERT_TRUE(host) << host.error().message();
  utsname names{};
  ASSERT_EQ(::uname(&names), 0);
  EXPECT_EQ(host->kernel_release, &names.release[0]);
  EXPECT_EQ(host->machine, &names.machine[0]);
  EXPECT_EQ(host->boot_id.size(), 36u);
  EXPECT_EQ(host->cpus, static_cast<std::uint64_t>(::sysconf(_SC_NPROCESSORS_ONLN)));
}

TEST(CountOfList, CountsRangesAndSingleNumbers) {
  EXPECT_EQ(count_of_list("0"), 1u);
  EXPECT_EQ(count_of_list("0-1,3"), 3u);
  EXPECT_EQ(count_of_list("0-255"), 256u);
}

TEST(CountOfList, RejectsWhatIsNoList) {
  for (const char* const text : {"", ",", "0,", "1-0", "a", "0-", "-1", "0-1-2", "0 1", "0-2000000",
                                 "0-18446744073709551615"}) {
    EXPECT_FALSE(count_of_list(text)) << text;
  }
}

}  // namespace
}  // namespace smaps_audit
