// SPDX-License-Identifier: Apache-2.0
#include "collect/kernel_capabilities.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "collect/live_kernel_view.h"
#include "tests/support/failing_kernel_view.h"

namespace smaps_audit {
namespace {

constexpr PageGeometry kPages;

KernelCapabilities probe(KernelView& view, const ForcedFallbacks& forced = {}) {
  const Result<KernelCapabilities> found = probe_kernel_capabilities(view, kPages, forced);
  EXPECT_TRUE(found.ok());
  return found ? *found : KernelCapabilities{};
}

/// Of the running kernel, which may lack anything; a switch must take away its own and nothing
/// else.
class KernelCapabilitiesTest : public testing::Test {
 protected:
  KernelCapabilities without(bool ForcedFallbacks::*flag) {
    ForcedFallbacks forced;
    forced.*flag = true;
    return probe(live, forced);
  }
  LiveKernelView live;
  KernelCapabilities all = probe(live);
};

TEST_F(KernelCapabilitiesTest, OwnPagemapAndSmapsCanBeRead) {
  EXPECT_TRUE(all.pagemap);
  EXPECT_TRUE(all.smaps_rollup);
  EXPECT_GE(all.cpus, 1u);
  EXPECT_GE(all.fault_around_pages, 1u);
  EXPECT_GE(all.anon_fault_pages, 1u);
}

TEST_F(KernelCapabilitiesTest, AFrameNumberIsVisibleWithTheZeroPage) {
  EXPECT_EQ(all.pfn_visible, all.zero_pfn.has_value());
  EXPECT_TRUE(all.pfn_visible || !all.huge_zero_pfns);
}

TEST_F(KernelCapabilitiesTest, WithoutPagemapScanPlainReadsAreLeft) {
  const KernelCapabilities found = without(&ForcedFallbacks::no_pagemap_scan);
  EXPECT_FALSE(found.pagemap_scan);
  EXPECT_FALSE(found.scan_flags_huge_zero);
  EXPECT_EQ(found.pfn_visible, all.pfn_visible);
}

TEST_F(KernelCapabilitiesTest, WithoutProcmapQueryMapsIsLeft) {
  EXPECT_FALSE(without(&ForcedFallbacks::no_procmap_query).procmap_query);
}

TEST_F(KernelCapabilitiesTest, WithoutFramesNoZeroPageIsKnown) {
  const KernelCapabilities found = without(&ForcedFallbacks::no_pfn);
  EXPECT_FALSE(found.pfn_visible);
  EXPECT_FALSE(found.zero_pfn.has_value());
  EXPECT_FALSE(found.huge_zero_pfns.has_value());
  EXPECT_EQ(found.pagemap_scan, all.pagemap_scan);
}

TEST_F(KernelCapabilitiesTest, WithoutKpageflags) {
  const KernelCapabilities found = without(&ForcedFallbacks::no_kpageflags);
  EXPECT_FALSE(found.kpageflags);
  EXPECT_EQ(found.kpagecount, all.kpagecount);
}

TEST_F(KernelCapabilitiesTest, WithoutKpagecount) {
  const KernelCapabilities found = without(&ForcedFallbacks::no_kpagecount);
  EXPECT_FALSE(found.kpagecount);
  EXPECT_EQ(found.kpageflags, all.kpageflags);
}

TEST_F(KernelCapabilitiesTest, WithoutNumaMaps) {
  EXPECT_FALSE(without(&ForcedFallbacks::no_numa_maps).numa_maps);
}

TEST_F(KernelCapabilitiesTest, WithoutWchan) {
  EXPECT_FALSE(without(&ForcedFallbacks::no_wchan).wchan);
}

TEST_F(KernelCapabilitiesTest, AFileThatIsNotThereIsACapabilityLess) {
  FailingKernelView view{live};
  for (const char* path : {"/proc/kpagecount", "/proc/kpageflags", "/proc/self/numa_maps",
                           "/proc/self/smaps_rollup", "/proc/self/pagemap"}) {
    view.fail_path(path, ENOENT);
  }
  const KernelCapabilities found = probe(view);
  EXPECT_FALSE(found.kpagecount);
  EXPECT_FALSE(found.kpageflags);
  EXPECT_FALSE(found.numa_maps);
  EXPECT_FALSE(found.smaps_rollup);
  EXPECT_FALSE(found.pagemap);
  EXPECT_FALSE(found.pagemap_scan);
}

TEST_F(KernelCapabilitiesTest, WithoutMapsNothingCanBeProbed) {
  FailingKernelView view{live};
  view.fail_path("/proc/self/maps", EACCES);
  const Result<KernelCapabilities> found = probe_kernel_capabilities(view, kPages, {});
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.error().code, ErrorCode::denied);
}

}  // namespace
}  // namespace smaps_audit
