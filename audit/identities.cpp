// SPDX-License-Identifier: Apache-2.0
#include "audit/identities.h"

#include <array>

namespace smaps_audit {
namespace {

using Field = SmapsField;

struct UpperBound {
  Field field;
  Field bound;
  std::string_view relation;
};

// docs/kernel.md §3, I2. Pss and its like are floored to a kB, the others are
// not.
constexpr std::array kUpperBounds = {
    UpperBound{Field::rss, Field::size, "Rss ≤ Size"},
    UpperBound{Field::pss, Field::rss, "Pss ≤ Rss"},
    UpperBound{Field::anonymous, Field::rss, "Anonymous ≤ Rss"},
    UpperBound{Field::referenced, Field::rss, "Referenced ≤ Rss"},
    UpperBound{Field::ksm, Field::anonymous, "KSM ≤ Anonymous"},
    UpperBound{Field::lazy_free, Field::anonymous, "LazyFree ≤ Anonymous"},
    UpperBound{Field::anon_huge_pages, Field::anonymous, "AnonHugePages ≤ Anonymous"},
    UpperBound{Field::pss_dirty, Field::pss, "Pss_Dirty ≤ Pss"},
    UpperBound{Field::locked, Field::pss, "Locked ≤ Pss"},
    UpperBound{Field::swap, Field::size, "Swap ≤ Size"},
};

std::optional<BrokenIdentity> broken_sum(const SmapsValues& values) {
  const auto rss = values.bytes(Field::rss);
  std::uint64_t sum = 0;
  for (const Field part :
       {Field::shared_clean, Field::shared_dirty, Field::private_clean, Field::private_dirty}) {
    const auto bytes = values.bytes(part);
    if (!bytes) return std::nullopt;
    sum += *bytes;
  }
  if (!rss || *rss == sum) return std::nullopt;
  return BrokenIdentity{
      .check = "I2",
      .relation = "Rss = Shared_Clean + Shared_Dirty + Private_Clean + Private_Dirty",
      .field = "Rss",
      .reported = *rss,
      .expected = {sum, sum}};
}

/// Locked is all of Pss in a locked VMA and nothing elsewhere.
std::optional<BrokenIdentity> broken_locked(const SmapsRecord& record) {
  const auto locked = record.values.bytes(Field::locked);
  const auto pss = record.values.bytes(Field::pss);
  const bool rollup = !record.values.has(Field::size);
  if (!locked || !pss || rollup || *locked == 0 || *locked == *pss) return std::nullopt;
  return BrokenIdentity{.check = "I2",
                        .relation = "Locked is 0 or Pss",
                        .field = "Locked",
                        .reported = *locked,
                        .expected = {*pss, *pss}};
}

}  // namespace

std::optional<BrokenIdentity> broken_identity(const SmapsRecord& record) {
  // A hugetlb VMA counts its Locked and Swap otherwise; none of its numbers is resident memory.
  if (record.flags.has(VmFlag::hugetlb)) return std::nullopt;
  const SmapsValues& values = record.values;
  if (auto broken = broken_sum(values)) return broken;
  for (const UpperBound& rule : kUpperBounds) {
    const auto value = values.bytes(rule.field);
    const auto bound = values.bytes(rule.bound);
    if (value && bound && *value > *bound) {
      return BrokenIdentity{.check = "I2",
                            .relation = rule.relation,
                            .field = smaps_field_name(rule.field),
                            .reported = *value,
                            .expected = {0, *bound}};
    }
  }
  return broken_locked(record);
}

std::optional<BrokenIdentity> broken_identity(const StatusNumbers& status) {
  if (!status.vm_rss || !status.rss_anon || !status.rss_file || !status.rss_shmem)
    return std::nullopt;
  const std::uint64_t sum = *status.rss_anon + *status.rss_file + *status.rss_shmem;
  if (*status.vm_rss == sum) return std::nullopt;
  return BrokenIdentity{.check = "I1",
                        .relation = "VmRSS = RssAnon + RssFile + RssShmem",
                        .field = "VmRSS",
                        .reported = *status.vm_rss,
                        .expected = {sum, sum}};
}

}  // namespace smaps_audit
