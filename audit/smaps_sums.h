// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "audit/page_class.h"
#include "parsers/smaps.h"

namespace smaps_audit {

/// Sums over one read of smaps, and what of it can't be compared with another witness.
struct SmapsSums {
  std::array<std::uint64_t, kSmapsFieldCount> bytes{};
  std::uint32_t present = 0;  ///< bit per SmapsField
  std::uint64_t vmas = 0;
  std::uint64_t size_bytes = 0;        ///< without [vsyscall], which VmSize leaves out too
  std::uint64_t uncompared_rss = 0;    ///< Rss of pfnmap VMAs: pagemap never shows them (K07)
  std::uint64_t device_copy_size = 0;  ///< of those of them that private copies may be in
  std::uint64_t device_copy_rss = 0;   ///< Rss of these
  std::uint64_t numa_unseen_rss = 0;   ///< Rss of VMAs of which numa_maps may leave pages out
  std::uint64_t file_swap = 0;         ///< Swap of VMAs with a file: shmem's is no VmSwap
  std::uint64_t locked_by_flags = 0;   ///< Pss of the VMAs whose VmFlags say lo
  std::uint64_t hugetlb_vmas = 0;
  std::uint64_t pss_of_anonymous = 0;    ///< Pss of the VMAs that hold nothing but anonymous pages
  std::uint64_t pss_with_anonymous = 0;  ///< Pss of the VMAs that hold any
  /// SmapsField → VMAs in which the field was rounded down to a kB; 0 for what is not.
  std::array<std::uint32_t, kSmapsFieldCount> rounded{};

  void add(const SmapsRecord& record, const VmaTraits& traits);
  [[nodiscard]] std::optional<std::uint64_t> get(SmapsField field) const;
  /// A rollup sums from bytes and rounds once: it may show so much more than the sum of the
  /// records.
  [[nodiscard]] std::uint64_t rounding_bytes(SmapsField field) const {
    return 1024 * std::uint64_t{rounded[static_cast<std::size_t>(field)]};
  }
};

}  // namespace smaps_audit
