// SPDX-License-Identifier: Apache-2.0
#include "audit/field_watch.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "audit/checks.h"
#include "tests/unit/audit/evidence.h"

namespace smaps_audit {
namespace {

using namespace evidence;  // NOLINT(google-build-using-namespace)
using F = SmapsField;

constexpr Range kVma{kHuge, 9 * kHuge};
constexpr std::uint64_t kRss = 4 * kHuge;
constexpr FieldLimits kAsleep{.asleep = true, .slack = {}, .walk = {kRss, kRss}};
constexpr FieldLimits kAwake{.asleep = false, .slack = {}, .walk = {kRss, kRss}};

/// One read of everything; a test changes what it is about.
struct Told {
  SmapsRecord smaps = record_of(kVma, kRss);
  SmapsRecord rollup = rollup_of(kRss);
  NumaSums numa{.anon = kRss, .dirty = kRss};
  StatusNumbers status;
  ProcStatm statm{.size_pages = kVma.length() / kPage, .resident_pages = kRss / kPage};

  Told() {
    for (SmapsRecord* record : {&smaps, &rollup}) {
      record->values.set(F::swap_pss, 0);
      record->values.set(F::shared_hugetlb, 0);
    }
    rollup.values.set(F::pss_anon, kRss);
    rollup.values.set(F::pss_file, 0);
    rollup.values.set(F::pss_shmem, 0);
    status.vm_peak = status.vm_size = kVma.length();
    status.vm_hwm = status.vm_rss = status.rss_anon = kRss;
    status.rss_file = status.rss_shmem = status.vm_swap = 0;
  }
};

FieldWatch watched(const Told& told, int reads = 24, bool mapcount_per_page = true) {
  FieldWatch watch{kPages, mapcount_per_page};
  for (int i = 0; i < reads; ++i) {
    SmapsSums sums;
    sums.add(told.smaps, traits_of(told.smaps));
    watch.on_smaps(sums);
    watch.on_rollup(told.rollup);
    watch.on_numa(told.numa);
    watch.on_status(told.status, told.statm);
  }
  return watch;
}

struct Said {
  Interface interface = Interface::smaps;
  std::optional<Interface> against = std::nullopt;
  std::string field;
  bool operator==(const Said&) const = default;
};

std::vector<Said> said(const Told& told, const FieldLimits& limits = kAsleep) {
  const std::vector<Relation> relations = watched(told).relations(limits);
  std::vector<Said> all;
  for (const Accusation& accusation : accuse(relations)) {
    const Finding finding = finding_of(accusation, relations);
    EXPECT_NE(find_check(finding.check), nullptr) << finding.check;
    all.push_back({finding.interface, finding.against, finding.field});
  }
  return all;
}

using Saids = std::vector<Said>;

TEST(FieldWatch, IsSilentWhereAllAgree) {
  EXPECT_EQ(said(Told{}), Saids{});
  EXPECT_EQ(said(Told{}, kAwake), Saids{});
  EXPECT_TRUE(FieldWatch{kPages}.relations(kAsleep).empty());
}

TEST(FieldWatch, EveryRelationIsARowOfTheTableOfChecks) {
  for (const Relation& relation : watched(Told{}).relations(kAsleep)) {
    EXPECT_NE(find_check(relation.check), nullptr) << relation.check;
  }
}

TEST(FieldWatch, AFieldOfTheRollupIsAPairUnlessAThirdTells) {
  Told told;
  told.rollup.values.set(F::referenced, kRss - 1024);
  EXPECT_EQ(said(told), (Saids{{Interface::smaps_rollup, Interface::smaps, "Referenced"}}));
  told = {};
  told.rollup.values.set(F::anonymous, kRss - kPage);
  EXPECT_EQ(said(told), (Saids{{Interface::smaps_rollup, std::nullopt, "Anonymous"}}));
}

TEST(FieldWatch, ALyingPartOfRssIsNamedAndRssIsNot) {
  Told told;
  told.rollup.values.set(F::private_dirty, kRss - 2 * kPage);
  EXPECT_EQ(said(told), (Saids{{Interface::smaps_rollup, std::nullopt, "Private_Dirty"}}));
  EXPECT_EQ(said(told, kAwake), (Saids{{Interface::smaps_rollup, std::nullopt, "Private_Dirty"}}));
}

TEST(FieldWatch, FlooredFieldsMayExceedTheSumByAKilobyteForEachVmaThatSharesPages) {
  Told told;
  told.rollup.values.set(F::swap, kPage);
  told.smaps.values.set(F::swap, kPage);
  told.status.vm_swap = kPage;
  told.rollup.values.set(F::swap_pss, 1024);
  EXPECT_EQ(said(told), Saids{});
  told.rollup.values.set(F::swap_pss, 2048);
  EXPECT_EQ(said(told), (Saids{{Interface::smaps_rollup, Interface::smaps, "SwapPss"}}));
}

TEST(FieldWatch, NumaMapsIsAskedOfASleeperOnly) {
  Told told;
  told.numa.anon = kRss - kPage;
  EXPECT_EQ(said(told, kAwake), Saids{});
  EXPECT_EQ(said(told), (Saids{{Interface::numa_maps, std::nullopt, "anon"}}));
  told = {};
  told.numa.dirty = kRss - kPage;
  EXPECT_EQ(said(told), (Saids{{Interface::numa_maps, std::nullopt, "dirty"}}));
}

TEST(FieldWatch, EntriesWithoutAPageMayBeMissingInNumaMaps) {
  Told told;
  told.numa.anon = told.numa.dirty = kRss - kPage;
  FieldLimits limits = kAsleep;
  limits.walk = {kRss - kPage, kRss};
  EXPECT_EQ(said(told, limits), Saids{});
  told.numa.anon = kRss + kPage;
  EXPECT_EQ(said(told, limits), (Saids{{Interface::numa_maps, std::nullopt, "anon"}}));
}

TEST(FieldWatch, RssAnonIsNamedWithAndWithoutExactCounters) {
  Told told;
  *told.status.rss_anon -= 2 * kPage;
  EXPECT_EQ(said(told), (Saids{{Interface::status, std::nullopt, "RssAnon"}}));
  FieldLimits limits = kAsleep;
  limits.slack = {kHuge, kHuge};
  EXPECT_EQ(said(told, limits), (Saids{{Interface::status, std::nullopt, "RssAnon"}}));
}

TEST(FieldWatch, RssFileAndRssShmemAreToldApartByNobody) {
  Told told;
  told.status.rss_file = kPage;
  const Saids found = said(told);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].interface, Interface::status);
  EXPECT_EQ(found[0].against, Interface::status);
}

TEST(FieldWatch, ACounterThatErrsByItsBoundIsNoContradiction) {
  Told told;
  told.status.rss_anon = told.status.vm_rss = told.status.vm_hwm = kRss - kHuge;
  told.statm.resident_pages -= kHuge / kPage;
  FieldLimits limits = kAsleep;
  limits.slack = {kHuge, kHuge};
  EXPECT_EQ(said(told, limits), Saids{});
  limits.slack = {kHuge - kPage, kHuge - kPage};
  EXPECT_EQ(said(told, limits), (Saids{{Interface::status, std::nullopt, "RssAnon"}}));
}

TEST(FieldWatch, AHighWaterMarkLiesOnlyFromBelow) {
  Told told;
  *told.status.vm_hwm += kPage;
  EXPECT_EQ(said(told), Saids{});
  *told.status.vm_hwm -= 2 * kPage;
  EXPECT_EQ(said(told), (Saids{{Interface::status, std::nullopt, "VmHWM"}}));
  told = {};
  *told.status.vm_peak -= kPage;
  EXPECT_EQ(said(told), (Saids{{Interface::status, std::nullopt, "VmPeak"}}));
}

TEST(FieldWatch, VmSwapIsTheSwapOfWhatIsNoFile) {
  Told told;
  told.status.vm_swap = kPage;
  EXPECT_EQ(said(told), (Saids{{Interface::status, std::nullopt, "VmSwap"}}));
  FieldLimits limits = kAsleep;
  limits.slack = {kPage, kPage};
  EXPECT_EQ(said(told, limits), Saids{});
  told = {};
  told.smaps.header.inode = 7;  // shmem: its Swap is in no counter
  told.smaps.values.set(F::swap, kHuge);
  told.rollup.values.set(F::swap, kHuge);
  EXPECT_EQ(said(told), Saids{});
  told.status.vm_swap = kHuge + kPage;
  EXPECT_EQ(said(told), (Saids{{Interface::status, std::nullopt, "VmSwap"}}));
}

TEST(FieldWatch, StatmIsComparedWithStatusOfASleeper) {
  using Number = std::uint64_t ProcStatm::*;
  const std::vector<std::pair<Number, std::string>> numbers = {
      {&ProcStatm::size_pages, "size"},
      {&ProcStatm::resident_pages, "resident"},
      {&ProcStatm::shared_pages, "shared"}};
  for (const auto& [number, name] : numbers) {
    Told told;
    told.statm.*number += 1;
    EXPECT_EQ(said(told, kAwake), Saids{});
    EXPECT_EQ(said(told), (Saids{{Interface::statm, std::nullopt, name}}));
  }
}

TEST(FieldWatch, VmSizeIsWeighedAgainstSizeAndStatm) {
  Told told;
  *told.status.vm_size += kPage;
  *told.status.vm_peak += kPage;
  EXPECT_EQ(said(told, kAwake), Saids{});
  EXPECT_EQ(said(told), (Saids{{Interface::status, std::nullopt, "VmSize"}}));
}

TEST(FieldWatch, WhatBreaksOnlyNowAndThenIsNeitherBrokenNorAVoucher) {
  FieldWatch watch{kPages};
  Told told;
  for (int i = 0; i < 24; ++i) {
    *told.status.vm_hwm = i == 20 ? kRss : kRss - kPage;
    watch.on_status(told.status, told.statm);
  }
  for (const Relation& relation : watch.relations(kAsleep)) {
    EXPECT_NE(relation.check, "I1.hwm");
    EXPECT_TRUE(relation.holds()) << relation.check;
  }
}

/// All of it shared by two, of which each has half.
Told shared_by_two() {
  Told told;
  for (SmapsRecord* record : {&told.smaps, &told.rollup}) {
    record->values.set(F::private_dirty, 0);
    record->values.set(F::shared_dirty, kRss);
    for (const F field : {F::pss, F::pss_dirty}) record->values.set(field, kRss / 2);
  }
  told.rollup.values.set(F::pss_anon, kRss / 2);
  return told;
}

TEST(FieldWatch, ASharedPageIsSharedByTwoAtLeast) {
  EXPECT_TRUE(said(shared_by_two()).empty());
  Told told = shared_by_two();
  for (const F field : {F::pss, F::pss_dirty, F::pss_anon}) {
    told.rollup.values.set(field, kRss / 2 + kPage);
  }
  told.smaps.values.set(F::pss, kRss / 2 + kPage);
  told.smaps.values.set(F::pss_dirty, kRss / 2 + kPage);
  const auto broken = [&](bool mapcount_per_page, const FieldLimits& limits) {
    std::size_t count = 0;
    for (const Relation& relation : watched(told, 24, mapcount_per_page).relations(limits)) {
      if (relation.check == "I2.pss_shared" && !relation.holds()) ++count;
    }
    return count;
  };
  EXPECT_EQ(broken(true, kAsleep), 2u);
  EXPECT_EQ(broken(true, kAwake), 2u);
  EXPECT_EQ(broken(false, kAsleep), 0u);
  // As many entries without a page make up for it: each is 4 kB more than half of itself, twice.
  FieldLimits limits = kAsleep;
  limits.walk = {kRss - 2 * kPage, kRss};
  EXPECT_EQ(broken(true, limits), 0u);
  limits.walk = {kRss - kPage, kRss};
  EXPECT_EQ(broken(true, limits), 2u);
}

}  // namespace
}  // namespace smaps_audit
