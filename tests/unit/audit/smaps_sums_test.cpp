// SPDX-License-Identifier: Apache-2.0
#include "audit/smaps_sums.h"

#include <gtest/gtest.h>

#include "tests/unit/audit/evidence.h"

namespace smaps_audit {
namespace {

using namespace evidence;  // NOLINT(google-build-using-namespace)

constexpr Range kVma{kHuge, 9 * kHuge};
constexpr std::uint64_t kRss = 4 * kHuge;

TEST(SmapsSums, LeaveTheGateOutOfTheSize) {
  SmapsSums sums;
  const SmapsRecord gate = record_of({0xffffffffff600000, 0xffffffffff601000}, 0, "[vsyscall]");
  sums.add(gate, traits_of(gate));
  EXPECT_EQ(sums.size_bytes, 0u);
  EXPECT_EQ(sums.device_copy_size, 0u);
  EXPECT_EQ(sums.vmas, 1u);
}

TEST(SmapsSums, KeepApartWhatPagemapNeverShows) {
  SmapsSums sums;
  SmapsRecord device = record_of({kHuge, kHuge + 16 * kPage}, 4 * kPage, "/dev/x");
  device.flags.known = static_cast<std::uint32_t>(VmFlag::pfnmap);
  sums.add(device, traits_of(device));
  EXPECT_EQ(sums.uncompared_rss, 4 * kPage);
  EXPECT_EQ(sums.device_copy_size, 0u);
  device.flags.known |= static_cast<std::uint32_t>(VmFlag::may_write);
  sums.add(device, traits_of(device));
  EXPECT_EQ(sums.device_copy_rss, 4 * kPage);
  EXPECT_EQ(sums.device_copy_size, 16 * kPage);
}

TEST(SmapsSums, AnAbsentFieldStaysAbsent) {
  SmapsSums sums;
  const SmapsRecord record = record_of(kVma, kRss);
  sums.add(record, traits_of(record));
  EXPECT_EQ(sums.get(SmapsField::rss), kRss);
  EXPECT_EQ(sums.get(SmapsField::ksm), std::nullopt);
}

SmapsSums sums_of(const SmapsRecord& record) {
  SmapsSums sums;
  sums.add(record, traits_of(record));
  return sums;
}

TEST(SmapsSums, CountTheVmasInWhichPssWasRounded) {
  SmapsRecord record = record_of(kVma, kRss);
  record.values.set(SmapsField::swap_pss, 0);
  for (const SmapsField field : {SmapsField::pss, SmapsField::pss_dirty, SmapsField::swap_pss,
                                 SmapsField::locked, SmapsField::rss}) {
    EXPECT_EQ(sums_of(record).rounding_bytes(field), 0u) << smaps_field_name(field);
  }
  record.values.set(SmapsField::pss, kRss - kPage);
  EXPECT_EQ(sums_of(record).rounding_bytes(SmapsField::pss), 1024u);
  record.values.set(SmapsField::pss_dirty, kRss - kPage);
  EXPECT_EQ(sums_of(record).rounding_bytes(SmapsField::pss_dirty), 1024u);
  record.values.set(SmapsField::swap, kPage);
  EXPECT_EQ(sums_of(record).rounding_bytes(SmapsField::swap_pss), 1024u);
  record.flags.known = static_cast<std::uint32_t>(VmFlag::locked);
  EXPECT_EQ(sums_of(record).rounding_bytes(SmapsField::locked), 1024u);
}

TEST(SmapsSums, TellWhatVmFlagsSayOfLockedAndHugetlb) {
  SmapsRecord record = record_of(kVma, kRss);
  EXPECT_EQ(sums_of(record).locked_by_flags, 0u);
  EXPECT_EQ(sums_of(record).hugetlb_vmas, 0u);
  record.flags.known = static_cast<std::uint32_t>(VmFlag::locked);
  EXPECT_EQ(sums_of(record).locked_by_flags, kRss);
  record.flags.known = static_cast<std::uint32_t>(VmFlag::hugetlb);
  EXPECT_EQ(sums_of(record).hugetlb_vmas, 1u);
}

TEST(SmapsSums, KeepTheSwapOfFilesApart) {
  SmapsRecord record = record_of(kVma, kRss);
  record.values.set(SmapsField::swap, kHuge);
  EXPECT_EQ(sums_of(record).file_swap, 0u);
  record.header.inode = 7;
  EXPECT_EQ(sums_of(record).file_swap, kHuge);
}

TEST(SmapsSums, BoundThePssOfAnonymousPages) {
  SmapsRecord record = record_of(kVma, kRss);
  EXPECT_EQ(sums_of(record).pss_of_anonymous, kRss);
  EXPECT_EQ(sums_of(record).pss_with_anonymous, kRss);
  record.values.set(SmapsField::anonymous, kPage);
  EXPECT_EQ(sums_of(record).pss_of_anonymous, 0u);
  EXPECT_EQ(sums_of(record).pss_with_anonymous, kRss);
  record.values.set(SmapsField::anonymous, 0);
  EXPECT_EQ(sums_of(record).pss_with_anonymous, 0u);
}

}  // namespace
}  // namespace smaps_audit
