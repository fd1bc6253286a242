// SPDX-License-Identifier: Apache-2.0
#include "audit/identities.h"

#include <gtest/gtest.h>

#include "tests/unit/audit/evidence.h"

namespace smaps_audit {
namespace {

using namespace evidence;  // NOLINT(google-build-using-namespace)

constexpr Range kVma{kHuge, 2 * kHuge};

SmapsRecord agreeing() { return record_of(kVma, 100 * kPage); }

TEST(Identities, HoldInARecordThatAgreesWithItself) {
  EXPECT_FALSE(broken_identity(agreeing()));
  EXPECT_FALSE(broken_identity(rollup_of(100 * kPage)));
  EXPECT_FALSE(broken_identity(record_of(kVma, 0)));
}

TEST(Identities, RssIsTheSumOfItsFourParts) {
  SmapsRecord record = agreeing();
  record.values.set(SmapsField::shared_clean, 2 * kPage);
  const auto broken = broken_identity(record);
  ASSERT_TRUE(broken);
  EXPECT_EQ(broken->check, "I2");
  EXPECT_EQ(broken->field, "Rss");
  EXPECT_EQ(broken->reported, 100 * kPage);
  EXPECT_EQ(broken->expected, (Interval{102 * kPage, 102 * kPage}));
  EXPECT_EQ(broken->direction(), Direction::deficit);
  EXPECT_EQ(broken->error_bytes(), 2 * kPage);
}

TEST(Identities, EveryUpperBoundIsAsked) {
  struct Row {
    SmapsField field;
    std::uint64_t too_much;
  };
  for (const Row& row :
       {Row{SmapsField::pss, 101 * kPage}, Row{SmapsField::anonymous, 101 * kPage},
        Row{SmapsField::referenced, 101 * kPage}, Row{SmapsField::ksm, 101 * kPage},
        Row{SmapsField::lazy_free, 101 * kPage}, Row{SmapsField::anon_huge_pages, 101 * kPage},
        Row{SmapsField::pss_dirty, 101 * kPage}, Row{SmapsField::locked, 101 * kPage},
        Row{SmapsField::swap, 513 * kPage}}) {
    SmapsRecord record = agreeing();
    record.values.set(row.field, row.too_much);
    const auto broken = broken_identity(record);
    ASSERT_TRUE(broken) << smaps_field_name(row.field);
    EXPECT_EQ(broken->field, smaps_field_name(row.field));
    EXPECT_EQ(broken->direction(), Direction::excess);
    EXPECT_EQ(broken->error_bytes(), kPage);
  }
}

TEST(Identities, RssIsNotMoreThanSize) {
  const auto broken = broken_identity(record_of(kVma, kVma.length() + kPage));
  ASSERT_TRUE(broken);
  EXPECT_EQ(broken->field, "Rss");
  EXPECT_EQ(broken->expected, (Interval{0, kVma.length()}));
}

TEST(Identities, LockedIsNothingOrAllOfPssInARecordOfSmaps) {
  SmapsRecord record = agreeing();
  record.values.set(SmapsField::locked, 100 * kPage);
  EXPECT_FALSE(broken_identity(record));
  record.values.set(SmapsField::locked, 50 * kPage);
  ASSERT_TRUE(broken_identity(record));
  EXPECT_EQ(broken_identity(record)->field, "Locked");
}

TEST(Identities, LockedOfARollupMayBeAPartOfPss) {
  SmapsRecord rollup = rollup_of(100 * kPage);
  rollup.values.set(SmapsField::locked, 50 * kPage);
  EXPECT_FALSE(broken_identity(rollup));
}

TEST(Identities, AnAbsentFieldBreaksNothing) {
  SmapsRecord record;
  record.values.set(SmapsField::rss, 100 * kPage);
  record.values.set(SmapsField::private_dirty, 3 * kPage);
  EXPECT_FALSE(broken_identity(record));
}

TEST(Identities, HugetlbCountsOtherwiseAndIsNotAsked) {
  SmapsRecord record = agreeing();
  record.values.set(SmapsField::locked, 50 * kPage);
  record.flags.known = static_cast<std::uint32_t>(VmFlag::hugetlb);
  EXPECT_FALSE(broken_identity(record));
}

TEST(Identities, VmRssIsTheSumOfItsThreeParts) {
  StatusNumbers status;
  status.vm_rss = 10 * kPage;
  EXPECT_FALSE(broken_identity(status));
  status.rss_anon = 7 * kPage;
  status.rss_file = 2 * kPage;
  status.rss_shmem = 1 * kPage;
  EXPECT_FALSE(broken_identity(status));
  status.rss_shmem = 2 * kPage;
  const auto broken = broken_identity(status);
  ASSERT_TRUE(broken);
  EXPECT_EQ(broken->check, "I1");
  EXPECT_EQ(broken->direction(), Direction::deficit);
  EXPECT_EQ(broken->error_bytes(), kPage);
}

}  // namespace
}  // namespace smaps_audit
