// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/interval.h"
#include "base/page_geometry.h"
#include "base/range_set.h"
#include "collect/kernel_capabilities.h"
#include "collect/page_pass.h"
#include "parsers/smaps.h"

namespace smaps_audit {

/// What of a VMA decides how its pages are classed (docs/method.md §4). Two VMAs with equal traits
/// and equal pages are judged alike.
struct VmaTraits {
  bool compared = true;  ///< false: hugetlb, pfnmap, [vsyscall] say nothing comparable
  bool pfnmap = false;
  bool device_copies = false;  ///< pfnmap, private, may be written: can hold private copies (K07)
  bool has_file = false;
  bool mixedmap = false;
  bool special = false;    ///< [vdso] and its like: numa_maps leaves reserved pages out
  bool accessible = true;  ///< some of r, w, x: decides mprotect or hint, as the kernel does
  bool userfault = false;
  bool no_huge_page = false;
  bool anonymous_private = false;
  /// Huge pages of such a mapping are shmem's: those of a file come only while nobody may write it,
  /// on every kernel that leaves any out of smaps.
  bool shared_writable = false;
  std::uint64_t anonymous_bytes = 0;  ///< Anonymous of the record: see classify()

  /// Is this still memory of the same kind? What mprotect, madvise and a fault change is not asked.
  [[nodiscard]] bool same_kind(const VmaTraits& other) const {
    return compared == other.compared && has_file == other.has_file && mixedmap == other.mixedmap &&
           special == other.special && anonymous_private == other.anonymous_private;
  }
};
VmaTraits traits_of(const SmapsRecord& record);

/// The pages of one VMA in one pass: `sure` are counted by any correct walk, `possible` are those
/// plus the ones of which the pass can't tell. Page numbers.
struct PageSets {
  RangeSet sure;
  RangeSet possible;
};
///
/// A page without FILE in the mapping of a file is a private copy, or a page of a device's memory
/// (DAX before 6.15) that no walk counts. It is sure if it is EXCLUSIVE or if the record owns to as
/// many anonymous pages; else it is only possible.
PageSets classify(const PagePass& pass, Range vma_bytes, const VmaTraits& traits,
                  const PageGeometry& pages);

/// The pages of one VMA between two passes: sure in both, possible in either. Entries that were
/// SWAPPED in both passes are left out of the latter where the record's Swap owns to all of them.
PageSets pages_between(const PagePass& before, const PagePass& after, Range vma_bytes,
                       const VmaTraits& traits, std::uint64_t record_swap_bytes,
                       const PageGeometry& pages);
/// The same in bytes: [L, U].
Interval resident_between(const PagePass& before, const PagePass& after, Range vma_bytes,
                          const VmaTraits& traits, std::uint64_t record_swap_bytes,
                          const PageGeometry& pages);

/// Pages that one fault which maps by PTEs may bring into this VMA: k of docs/method.md §4.
std::uint64_t pages_per_fault(const VmaTraits& traits, Range vma_bytes,
                              const KernelCapabilities& capabilities, const PageGeometry& pages);

/// Bytes of the VMA that were lost to memory errors, as this pass shows them.
std::uint64_t poisoned_bytes(const PagePass& pass, Range vma_bytes, const PageGeometry& pages);

/// Bytes that both passes showed as zero pages of a file.
std::uint64_t zero_file_bytes(const PagePass& before, const PagePass& after, Range vma_bytes,
                              const PageGeometry& pages);

/// Whole, aligned PMD ranges inside the VMA, as page numbers; empty if there is none.
Range aligned_pmd_pages(Range vma_bytes, const PageGeometry& pages);

/// How many aligned PMD ranges of the VMA are wholly in `present` (page numbers).
std::uint64_t full_pmd_blocks(const RangeSet& present, Range vma_bytes, const PageGeometry& pages);

}  // namespace smaps_audit
