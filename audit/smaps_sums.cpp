// SPDX-License-Identifier: Apache-2.0
#include "audit/smaps_sums.h"

#include "collect/look_ahead.h"

namespace smaps_audit {
namespace {

using Field = SmapsField;

std::uint64_t value(const SmapsRecord& record, Field field) {
  return record.values.bytes(field).value_or(0);
}

/// Pss and its like are sums of parts of pages. They are whole where they reach what they are a
/// part of: then no page is shared.
void count_rounded(SmapsSums& sums, const SmapsRecord& record) {
  const auto round = [&](Field field, std::uint64_t whole) {
    if (value(record, field) != whole) ++sums.rounded[static_cast<std::size_t>(field)];
  };
  round(Field::pss, value(record, Field::rss));
  round(Field::pss_dirty, value(record, Field::shared_dirty) + value(record, Field::private_dirty));
  round(Field::swap_pss, value(record, Field::swap));
  const bool locked = !record.has_vm_flags || record.flags.has(VmFlag::locked);
  round(Field::locked, locked ? value(record, Field::rss) : 0);
}

}  // namespace

void SmapsSums::add(const SmapsRecord& record, const VmaTraits& traits) {
  ++vmas;
  const bool gate = record.header.start >= kKernelHalf;  // [vsyscall]
  if (!gate) size_bytes += record.values.bytes(Field::size).value_or(record.header.size_bytes());
  for (std::size_t i = 0; i < kSmapsFieldCount; ++i) {
    if (const auto told = record.values.bytes(static_cast<Field>(i))) {
      bytes[i] += *told;
      present |= 1u << i;
    }
  }
  const std::uint64_t rss = value(record, Field::rss);
  const std::uint64_t pss = value(record, Field::pss);
  if (!traits.compared) uncompared_rss += rss;
  if (traits.device_copies) {
    device_copy_size += record.header.size_bytes();
    device_copy_rss += rss;
  }
  if (!traits.compared || traits.special || traits.mixedmap) numa_unseen_rss += rss;
  if (traits.has_file) file_swap += value(record, Field::swap);
  if (record.flags.has(VmFlag::locked)) locked_by_flags += pss;
  if (record.flags.has(VmFlag::hugetlb)) ++hugetlb_vmas;
  if (value(record, Field::anonymous) == rss) pss_of_anonymous += pss;
  if (value(record, Field::anonymous) != 0) pss_with_anonymous += pss;
  count_rounded(*this, record);
}

std::optional<std::uint64_t> SmapsSums::get(SmapsField field) const {
  if ((present >> static_cast<unsigned>(field) & 1u) == 0) return std::nullopt;
  return bytes[static_cast<std::size_t>(field)];
}

}  // namespace smaps_audit
