// SPDX-License-Identifier: Apache-2.0
#include "audit/device_copies.h"

#include <gtest/gtest.h>

#include "audit/checks.h"
#include "tests/unit/audit/evidence.h"

namespace smaps_audit {
namespace {

using namespace evidence;  // NOLINT(google-build-using-namespace)

constexpr Range kHeap{kHuge, 9 * kHuge};
constexpr Range kDevice{16 * kHuge, 16 * kHuge + 48 * kPage};
constexpr std::uint64_t kRss = 4 * kHuge;
constexpr std::uint64_t kCopies = 40 * kPage;
constexpr FieldLimits kAsleep{.asleep = true, .slack = {}, .walk = {kRss, kRss}};

/// One read of everything; a test changes what it is about.
struct Told {
  std::uint64_t rss_anon = kRss + kCopies;
  std::uint64_t device_rss = 0;
  std::uint64_t numa_anon = kRss;
  std::uint32_t device_flags =
      static_cast<std::uint32_t>(VmFlag::pfnmap) | static_cast<std::uint32_t>(VmFlag::may_write);
  bool shared = false;
  bool rollup = true;
};

FieldWatch watched(const Told& told, int reads = 24) {
  FieldWatch watch{kPages};
  SmapsRecord device = record_of(kDevice, told.device_rss, "/dev/mem");
  device.flags.known = told.device_flags;
  device.header.shared = told.shared;
  const SmapsRecord heap = record_of(kHeap, kRss);
  for (int i = 0; i < reads; ++i) {
    SmapsSums sums;
    sums.add(heap, traits_of(heap));
    sums.add(device, traits_of(device));
    watch.on_smaps(sums);
    if (told.rollup) watch.on_rollup(rollup_of(kRss + told.device_rss));
    watch.on_numa({.anon = told.numa_anon, .dirty = told.numa_anon});
    StatusNumbers status;
    status.rss_anon = told.rss_anon;
    watch.on_status(status, {});
  }
  return watch;
}

std::vector<Finding> found(const Told& told, const FieldLimits& limits = kAsleep) {
  return device_copy_findings(watched(told), limits,
                              {FindingVma{kDevice.first, kDevice.last, "/dev/mem", 0}});
}

TEST(DeviceCopies, ThatOnlyTheCounterHasAreMissingInSmapsItsRollupAndNumaMaps) {
  const std::vector<Finding> findings = found({});
  ASSERT_EQ(findings.size(), 5u);
  const std::vector<std::pair<Interface, std::string>> expected{
      {Interface::smaps, "Rss"},
      {Interface::smaps, "Anonymous"},
      {Interface::smaps_rollup, "Rss"},
      {Interface::smaps_rollup, "Anonymous"},
      {Interface::numa_maps, "anon"}};
  for (std::size_t i = 0; i < findings.size(); ++i) {
    const Finding& finding = findings[i];
    EXPECT_EQ(finding.interface, expected[i].first);
    EXPECT_EQ(finding.field, expected[i].second);
    EXPECT_EQ(finding.direction, Direction::deficit);
    EXPECT_EQ(finding.defect, "K07");
    EXPECT_NE(find_check(finding.check), nullptr);
    EXPECT_EQ(finding.error_bytes, kCopies);
    EXPECT_EQ(finding.expected.low, finding.reported_bytes + kCopies);
    EXPECT_TRUE(finding.exact);
    EXPECT_EQ(finding.brackets, 24u);
  }
  EXPECT_EQ(findings[0].reported_bytes, 0u);
  ASSERT_EQ(findings[0].vmas.size(), 1u);
  EXPECT_EQ(findings[0].vmas[0].error_bytes, kCopies);
  EXPECT_EQ(findings[2].reported_bytes, kRss);
}

TEST(DeviceCopies, OfSeveralMappingsNoneIsNamed) {
  const FindingVma one{kDevice.first, kDevice.first + kPage, "", 0};
  const FindingVma other{kDevice.first + kPage, kDevice.last, "", 0};
  const auto findings = device_copy_findings(watched({}), kAsleep, {one, other});
  ASSERT_FALSE(findings.empty());
  EXPECT_EQ(findings[0].vmas_total, 0u);
  EXPECT_TRUE(findings[0].vmas.empty());
}

TEST(DeviceCopies, AreNotProvedOfAProcessThatRuns) {
  FieldLimits awake = kAsleep;
  awake.asleep = false;
  EXPECT_TRUE(found({}, awake).empty());
}

TEST(DeviceCopies, AreAtMostWhatTheMappingCanHold) {
  EXPECT_FALSE(found({.rss_anon = kRss + kDevice.length()}).empty());
  EXPECT_TRUE(found({.rss_anon = kRss + kDevice.length() + kPage}).empty());
  EXPECT_TRUE(found({.rss_anon = kRss}).empty());
}

TEST(DeviceCopies, NeedAPrivateMappingOfADeviceThatMayBeWritten) {
  EXPECT_TRUE(found({.device_flags = static_cast<std::uint32_t>(VmFlag::pfnmap)}).empty());
  EXPECT_TRUE(found({.device_flags = static_cast<std::uint32_t>(VmFlag::may_write)}).empty());
  EXPECT_TRUE(found({.shared = true}).empty());
}

TEST(DeviceCopies, AreNotMissingWhereSmapsCountsAnyOfThem) {
  EXPECT_TRUE(found({.device_rss = kPage}).empty());
}

TEST(DeviceCopies, MayBeWhatTheCounterHasTooMuch) {
  FieldLimits limits = kAsleep;
  limits.slack = {.bytes = 0, .anon_excess = kCopies - kPage};
  const auto findings = found({}, limits);
  ASSERT_FALSE(findings.empty());
  EXPECT_EQ(findings[0].error_bytes, kPage);
  EXPECT_FALSE(findings[0].exact);
  limits.slack.anon_excess = kCopies;
  EXPECT_TRUE(found({}, limits).empty());
}

TEST(DeviceCopies, MayBePagesThatTheWalkSawElsewhere) {
  FieldLimits limits = kAsleep;
  limits.walk = {kRss, kRss + kCopies};
  EXPECT_TRUE(found({}, limits).empty());
}

TEST(DeviceCopies, ThreadsMayKeepMoreOfThemToThemselves) {
  FieldLimits limits = kAsleep;
  limits.slack = {.bytes = 66 * kPage, .anon_excess = 0};
  const auto findings = found({}, limits);
  ASSERT_FALSE(findings.empty());
  EXPECT_EQ(findings[0].expected.low, kCopies);
  EXPECT_EQ(findings[0].expected.high, kDevice.length());
}

TEST(DeviceCopies, SpareNumaMapsWhereItCountsThemAndTheRollupWhereThereIsNone) {
  EXPECT_EQ(found({.numa_anon = kRss + kCopies}).size(), 4u);
  EXPECT_EQ(found({.rollup = false}).size(), 3u);
}

}  // namespace
}  // namespace smaps_audit
