// SPDX-License-Identifier: Apache-2.0
#include "cli/bounded_audit.h"

#include <gtest/gtest.h>

#include <future>

#include "tests/support/fake_kernel_view.h"
#include "tests/unit/collect/fake_process.h"

namespace smaps_audit {
namespace {

constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kStart = 0x400000;
const PageGeometry kPages;

struct Kernel {
  FakeKernelView view;
  FakeProcess process{view};
  KernelCapabilities capabilities;

  Kernel() {
    capabilities.pagemap = true;
    process.vmas.push_back({.range = {kStart, kStart + 8 * kPage}, .pages = 8});
    process.publish();
  }
};

TEST(BoundedAudit, IsTheAuditWhereEveryReadComesBack) {
  Kernel kernel;
  const ProcessReport report = audit_bounded(kernel.view, kernel.capabilities, kPages, 7, {});
  EXPECT_EQ(report.verdict, Verdict::consistent) << report.reason;
  EXPECT_FALSE(any_audit_stuck());
}

TEST(BoundedAudit, LetsGoOfAReadThatNeverComesBack) {
  // What the stuck thread uses has to outlive the test.
  static Kernel& kernel = *new Kernel;
  static auto& release = *new std::promise<void>;
  kernel.view.on_call([](std::string_view operation, const std::string& path) {
    if (operation == "read" && path == "/proc/7/smaps") release.get_future().wait();
  });
  const ProcessReport report =
      audit_bounded(kernel.view, kernel.capabilities, kPages, 7,
                    {.deadline = std::chrono::milliseconds(20)}, std::chrono::milliseconds(20));
  EXPECT_EQ(report.pid, 7);
  EXPECT_EQ(report.verdict, Verdict::inconclusive);
  EXPECT_EQ(report.reason, "stuck");
  EXPECT_TRUE(any_audit_stuck());
}

}  // namespace
}  // namespace smaps_audit
