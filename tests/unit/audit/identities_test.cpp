// SPDX-License-Identifier: Apache-2.0
#include "audit/identities.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "audit/checks.h"
#include "tests/unit/audit/evidence.h"

namespace smaps_audit {
namespace {

using namespace evidence;  // NOLINT(google-build-using-namespace)
using F = SmapsField;

constexpr Range kVma{kHuge, 3 * kHuge};
constexpr std::uint64_t kKib = 1024;
constexpr std::uint64_t kRss = kHuge;

/// All of it private, dirty, anonymous, huge; every field there is.
SmapsRecord full_record() {
  SmapsRecord record = record_of(kVma, kRss);
  for (const F field : {F::ksm, F::lazy_free, F::shmem_pmd_mapped, F::file_pmd_mapped,
                        F::shared_hugetlb, F::private_hugetlb, F::swap_pss}) {
    record.values.set(field, 0);
  }
  record.values.set(F::anon_huge_pages, kRss);
  return record;
}

SmapsRecord full_rollup() {
  SmapsRecord record = full_record();
  SmapsRecord rollup = rollup_of(kRss);
  for (std::size_t i = 0; i < kSmapsFieldCount; ++i) {
    const auto field = static_cast<F>(i);
    const auto value = record.values.bytes(field);
    if (value && field != F::size) rollup.values.set(field, *value);
  }
  rollup.values.set(F::pss_anon, kRss);
  rollup.values.set(F::pss_file, 0);
  rollup.values.set(F::pss_shmem, 0);
  return rollup;
}

std::set<std::string> broken(const SmapsRecord& record) {
  std::set<std::string> checks;
  const std::uint32_t bits = broken_identities(record, kPages);
  for (std::size_t i = 0; i < record_identities().size(); ++i) {
    if ((bits >> i & 1u) != 0) checks.emplace(record_identities()[i].check);
  }
  return checks;
}

/// The checks that one field breaks if it is `bytes` more or less.
std::set<std::string> broken_by(SmapsRecord record, F field, std::int64_t bytes) {
  const auto value = static_cast<std::int64_t>(record.values.bytes(field).value_or(0));
  record.values.set(field, static_cast<std::uint64_t>(value + bytes));
  return broken(record);
}

using Checks = std::set<std::string>;

TEST(Identities, HoldInARecordThatAgreesWithItself) {
  EXPECT_EQ(broken(full_record()), Checks{});
  EXPECT_EQ(broken(full_rollup()), Checks{});
  EXPECT_EQ(broken(record_of(kVma, 0)), Checks{});
}

TEST(Identities, EachIsARowOfTheTableOfChecks) {
  for (const RecordIdentity& identity : record_identities()) {
    EXPECT_NE(find_check(identity.check), nullptr) << identity.check;
    EXPECT_FALSE(identity.relation.empty());
    EXPECT_FALSE(identity.terms.empty());
  }
}

TEST(Identities, AreBrokenByOneKilobyte) {
  struct Row {
    F field;
    std::int64_t bytes;
    Checks checks;
  };
  const std::int64_t kib = kKib;
  for (const Row& row : {
           Row{F::size, kib, {"I2.size"}},
           Row{F::size, -kib, {"I2.size"}},
           Row{F::shared_clean, kib, {"I2.rss_parts"}},
           Row{F::shared_dirty, kib, {"I2.rss_parts"}},
           Row{F::private_clean, kib, {"I2.rss_parts", "I2.pss_private"}},
           Row{F::private_dirty, -kib, {"I2.rss_parts", "I2.pss_dirty_parts"}},
           Row{F::pss, kib, {"I2.pss", "I2.pss_clean_parts"}},
           Row{F::pss, -kib, {"I2.pss_private", "I2.pss_dirty"}},
           Row{F::pss_dirty, kib, {"I2.pss_dirty", "I2.pss_dirty_parts"}},
           Row{F::pss_dirty, -kib, {"I2.pss_dirty_private", "I2.pss_clean_parts"}},
           Row{F::referenced, kib, {"I2.referenced"}},
           Row{F::anonymous, kib, {"I2.anonymous", "I2.file_huge"}},
           Row{F::anonymous, -kib, {"I2.anon_huge"}},
           Row{F::ksm, kib, {}},
           Row{F::anon_huge_pages, -kib, {"I2.pmd_multiple"}},
           Row{F::anon_huge_pages, kHuge, {"I2.anon_huge"}},
           Row{F::shmem_pmd_mapped, kHuge, {"I2.file_huge"}},
           Row{F::shmem_pmd_mapped, kib, {"I2.file_huge", "I2.pmd_multiple"}},
           Row{F::file_pmd_mapped, kHuge, {"I2.file_huge"}},
           Row{F::file_pmd_mapped, kib, {"I2.file_huge", "I2.pmd_multiple"}},
           Row{F::ksm, kRss + kib, {"I2.ksm"}},
           Row{F::lazy_free, kRss + kib, {"I2.lazy_free"}},
           Row{F::shared_hugetlb, kib, {"I2.hugetlb"}},
           Row{F::private_hugetlb, kib, {"I2.hugetlb"}},
           Row{F::swap, kHuge, {}},
           Row{F::swap, kHuge + kib, {"I2.swap"}},
           Row{F::swap_pss, kib, {"I2.swap_pss"}},
           Row{F::locked, kib, {"I2.locked"}},
       }) {
    EXPECT_EQ(broken_by(full_record(), row.field, row.bytes), row.checks)
        << smaps_field_name(row.field) << ' ' << row.bytes;
  }
}

TEST(Identities, OfARollupAreBrokenByOneKilobyteBeyondItsRounding) {
  const std::int64_t kib = kKib;
  EXPECT_EQ(broken_by(full_rollup(), F::pss_file, kib), (Checks{"I2.pss_classes", "I2.pss_file"}));
  EXPECT_EQ(broken_by(full_rollup(), F::pss_anon, -2 * kib), Checks{});
  EXPECT_EQ(broken_by(full_rollup(), F::pss_anon, -3 * kib), Checks{"I2.pss_classes"});
  EXPECT_EQ(broken_by(full_rollup(), F::pss_anon, kib), (Checks{"I2.pss_anon", "I2.pss_classes"}));
  EXPECT_EQ(broken_by(full_rollup(), F::locked, kRss), Checks{});
  EXPECT_EQ(broken_by(full_rollup(), F::locked, kRss + kib), Checks{"I2.locked"});
  EXPECT_EQ(broken_by(full_rollup(), F::shared_hugetlb, kHuge), Checks{});
}

TEST(Identities, RssIsNotMoreThanSize) {
  EXPECT_EQ(broken(record_of(kVma, kVma.length())), Checks{});
  EXPECT_EQ(broken(record_of(kVma, kVma.length() + kKib)), (Checks{"I2.rss", "I2.swap"}));
}

TEST(Identities, LockedIsPssWhereVmFlagsSayLo) {
  SmapsRecord record = full_record();
  record.flags.known = static_cast<std::uint32_t>(VmFlag::locked);
  EXPECT_EQ(broken(record), Checks{"I2.locked"});
  record.values.set(F::locked, kRss);
  EXPECT_EQ(broken(record), Checks{});
  record.values.set(F::locked, kRss - kKib);
  EXPECT_EQ(broken(record), Checks{"I2.locked"});
}

TEST(Identities, TheSwapOfAFileMayBeMoreThanItsSize) {
  SmapsRecord record = full_record();
  record.header.inode = 7;  // shmem: objects are larger than what they are mapped to
  record.values.set(F::swap, 2 * kVma.length());
  EXPECT_EQ(broken(record), Checks{});
}

TEST(Identities, PagesOfAFileMayBeMappedTwiceInOneProcess) {
  SmapsRecord record = full_record();
  record.header.inode = 7;
  record.values.set(F::anonymous, 0);
  record.values.set(F::anon_huge_pages, 0);
  record.values.set(F::pss, kRss / 2);
  record.values.set(F::pss_dirty, kRss / 2);
  EXPECT_EQ(broken(record), Checks{});
  record.values.set(F::anonymous, kRss / 2 + kKib);
  EXPECT_EQ(broken(record), (Checks{"I2.pss_private", "I2.pss_dirty_private"}));
}

TEST(Identities, AnAbsentFieldBreaksNothing) {
  SmapsRecord record;
  record.values.set(F::rss, 100 * kPage);
  record.values.set(F::private_dirty, 3 * kPage);
  EXPECT_EQ(broken(record), Checks{});
}

TEST(Identities, HugetlbCountsOtherMemoryAndIsNotAsked) {
  SmapsRecord record = full_record();
  record.values.set(F::private_hugetlb, kHuge);
  EXPECT_EQ(broken(record), Checks{"I2.hugetlb"});
  record.flags.known = static_cast<std::uint32_t>(VmFlag::hugetlb);
  EXPECT_EQ(broken(record), Checks{});
}

TEST(Identities, NumbersOfAForgedCaptureDoNotOverflow) {
  SmapsRecord record = full_record();
  for (std::size_t i = 0; i < kSmapsFieldCount; ++i) {
    record.values.set(static_cast<F>(i), UINT64_MAX / kKib * kKib);
  }
  EXPECT_NE(broken_identities(record, kPages), 0u);
}

TEST(Identities, BecomeRelationsOfTheirBrokenAndVouchingKind) {
  SmapsRecord record = full_record();
  record.values.set(F::pss, kRss + kKib);
  const std::uint32_t bits = broken_identities(record, kPages);
  const auto relations = relations_of(keep(record, Interface::smaps), bits, bits, 24, kPages);
  std::uint64_t not_held = 0;
  for (const Relation& relation : relations) {
    EXPECT_TRUE(relation.same_record);
    EXPECT_EQ(relation.reads, 24u);
    if (!relation.holds()) {
      ++not_held;
      EXPECT_EQ(relation.error(), kKib);
    }
  }
  EXPECT_EQ(not_held, 2u);
  EXPECT_GT(relations.size(), 2u);
}

StatusNumbers agreeing_status() {
  StatusNumbers status;
  status.vm_peak = status.vm_size = 100 * kPage;
  status.vm_hwm = status.vm_rss = 10 * kPage;
  status.rss_anon = 7 * kPage;
  status.rss_file = 2 * kPage;
  status.rss_shmem = 1 * kPage;
  return status;
}

TEST(Identities, OfStatusAreBrokenByOneKilobyte) {
  EXPECT_FALSE(breaks_identity(agreeing_status()));
  using Number = std::optional<std::uint64_t> StatusNumbers::*;
  for (const Number number : {&StatusNumbers::rss_anon, &StatusNumbers::rss_file,
                              &StatusNumbers::rss_shmem, &StatusNumbers::vm_rss}) {
    StatusNumbers status = agreeing_status();
    *(status.*number) += kKib;
    EXPECT_TRUE(breaks_identity(status));
  }
  for (const Number peak : {&StatusNumbers::vm_hwm, &StatusNumbers::vm_peak}) {
    StatusNumbers status = agreeing_status();
    *(status.*peak) += kKib;
    EXPECT_FALSE(breaks_identity(status));
    *(status.*peak) -= 2 * kKib;
    EXPECT_TRUE(breaks_identity(status));
  }
}

TEST(Identities, OfStatusAskNothingThatIsAbsent) {
  StatusNumbers status = agreeing_status();
  status.rss_file.reset();
  status.vm_hwm.reset();
  status.vm_peak.reset();
  EXPECT_TRUE(relations_of(status).empty());
}

TEST(Identities, OfStatmSharedIsAPartOfResident) {
  EXPECT_TRUE(relations_of(ProcStatm{100, 10, 10}, kPages).front().holds());
  EXPECT_FALSE(relations_of(ProcStatm{100, 10, 11}, kPages).front().holds());
}

}  // namespace
}  // namespace smaps_audit
