// SPDX-License-Identifier: Apache-2.0
#include "audit/page_class.h"

#include <algorithm>
#include <utility>

#include "collect/look_ahead.h"

namespace smaps_audit {
namespace {

enum class PageClass : std::uint8_t { no, maybe, sure };

/// A private copy of a file's page, or a page of a device's memory that no walk counts. EXCLUSIVE
/// ones are copies for certain; they are among those that the record owns to, so they are counted.
bool is_unfiled(std::uint8_t state, const VmaTraits& traits) {
  constexpr unsigned kRelevant = page_state::kPresent | page_state::kFile | page_state::kZero;
  constexpr unsigned kHasPage = page_state::kExclusive | page_state::kNotZero;
  return traits.has_file && !traits.mixedmap && (state & kRelevant) == page_state::kPresent &&
         (state & kHasPage) != 0;
}

/// The pages of `vma` (page numbers) whose state `wanted` accepts.
template <class Predicate>
RangeSet pages_where(const PagePass& pass, Range vma, const Predicate& wanted) {
  RangeSet found;
  auto run = std::partition_point(pass.runs.begin(), pass.runs.end(),
                                  [&](const PageRun& r) { return r.last <= vma.first; });
  for (; run != pass.runs.end() && run->first < vma.last; ++run) {
    if (wanted(run->state)) {
      found.append({std::max(run->first, vma.first), std::min(run->last, vma.last)});
    }
  }
  return found;
}

/// The table of docs/method.md §4. `may_be_huge_zero`: a PMD of this VMA could map the page.
PageClass class_of(std::uint8_t state, const VmaTraits& traits, bool may_be_huge_zero) {
  const auto has = [state](std::uint8_t bit) { return (state & bit) != 0; };
  if (!has(page_state::kPresent)) {
    return has(page_state::kSwapped) && !has(page_state::kRealSwap) ? PageClass::maybe
                                                                    : PageClass::no;
  }
  if (has(page_state::kZero)) return PageClass::no;
  if (has(page_state::kFile)) {
    // FILE means that the entry has a page, but for the huge zero folio (K11).
    const bool has_page =
        traits.has_file || has(page_state::kNotZero) || traits.mixedmap || !may_be_huge_zero;
    return has_page ? PageClass::sure : PageClass::maybe;
  }
  if (traits.mixedmap) return PageClass::maybe;  // a special entry has no page
  const bool has_page =
      has(page_state::kExclusive) || (has(page_state::kNotZero) && !traits.has_file);
  return has_page ? PageClass::sure : PageClass::maybe;
}

}  // namespace

VmaTraits traits_of(const SmapsRecord& record) {
  const VmaHeader& header = record.header;
  const bool vsyscall = header.name == "[vsyscall]";
  const bool special = header.name.starts_with('[') && !header.name.starts_with("[heap") &&
                       !header.name.starts_with("[stack") && !header.name.starts_with("[anon");
  const bool hugetlb = record.flags.has(VmFlag::hugetlb);
  const bool pfnmap = record.flags.has(VmFlag::pfnmap);
  return VmaTraits{
      .compared = !(hugetlb || pfnmap || vsyscall) && header.start < kKernelHalf,
      .pfnmap = pfnmap,
      .device_copies = pfnmap && !header.shared && record.flags.has(VmFlag::may_write),
      .has_file = header.has_file(),
      .mixedmap = record.flags.has(VmFlag::mixedmap),
      .special = special,
      .accessible = header.accessible(),
      .userfault = record.flags.has(VmFlag::uffd_missing) || record.flags.has(VmFlag::uffd_wp) ||
                   record.flags.has(VmFlag::uffd_minor),
      .no_huge_page = record.flags.has(VmFlag::no_huge_page),
      .anonymous_private = !header.has_file() && !header.shared,
      .shared_writable = header.shared && record.flags.has(VmFlag::may_write),
      .anonymous_bytes = record.values.bytes(SmapsField::anonymous).value_or(0),
  };
}

Range aligned_pmd_pages(Range vma_bytes, const PageGeometry& pages) {
  const std::uint64_t first = (vma_bytes.first + pages.pmd_bytes - 1) / pages.pmd_bytes;
  const std::uint64_t last = vma_bytes.last / pages.pmd_bytes;
  if (first >= last) return {};
  return {first * pages.pages_per_pmd(), last * pages.pages_per_pmd()};
}

PageSets classify(const PagePass& pass, Range vma_bytes, const VmaTraits& traits,
                  const PageGeometry& pages) {
  const Range vma{vma_bytes.first / pages.page_bytes, vma_bytes.last / pages.page_bytes};
  const Range huge = aligned_pmd_pages(vma_bytes, pages);
  PageSets sets;
  const auto add = [&](Range part, std::uint8_t state, bool may_be_huge_zero) {
    if (part.first >= part.last) return;
    const PageClass kind = class_of(state, traits, may_be_huge_zero);
    if (kind == PageClass::sure) sets.sure.append(part);
    if (kind != PageClass::no) sets.possible.append(part);
  };
  auto run = std::partition_point(pass.runs.begin(), pass.runs.end(),
                                  [&](const PageRun& r) { return r.last <= vma.first; });
  for (; run != pass.runs.end() && run->first < vma.last; ++run) {
    const Range part{std::max(run->first, vma.first), std::min(run->last, vma.last)};
    const bool known_small = pass.by_scan && (run->state & page_state::kHuge) == 0;
    if (huge.length() == 0 || known_small) {
      add(part, run->state, false);
      continue;
    }
    add({part.first, std::min(part.last, huge.first)}, run->state, false);
    add({std::max(part.first, huge.first), std::min(part.last, huge.last)}, run->state, true);
    add({std::max(part.first, huge.last), part.last}, run->state, false);
  }
  if (traits.has_file && traits.anonymous_bytes != 0) {
    const RangeSet copies =
        pages_where(pass, vma, [&](std::uint8_t state) { return is_unfiled(state, traits); });
    if (pages.bytes(copies.count()) <= traits.anonymous_bytes) {
      sets.sure = union_of(sets.sure, copies);
    }
  }
  return sets;
}

PageSets pages_between(const PagePass& before, const PagePass& after, Range vma_bytes,
                       const VmaTraits& traits, std::uint64_t record_swap_bytes,
                       const PageGeometry& pages) {
  const PageSets first = classify(before, vma_bytes, traits, pages);
  const PageSets second = classify(after, vma_bytes, traits, pages);
  RangeSet possible = union_of(first.possible, second.possible);
  if (record_swap_bytes != 0) {
    const Range vma{vma_bytes.first / pages.page_bytes, vma_bytes.last / pages.page_bytes};
    const auto is_swapped = [](std::uint8_t state) { return (state & page_state::kSwapped) != 0; };
    const RangeSet swapped =
        intersection(pages_where(before, vma, is_swapped), pages_where(after, vma, is_swapped));
    if (pages.bytes(swapped.count()) <= record_swap_bytes) possible = difference(possible, swapped);
  }
  return {.sure = intersection(first.sure, second.sure), .possible = std::move(possible)};
}

Interval resident_between(const PagePass& before, const PagePass& after, Range vma_bytes,
                          const VmaTraits& traits, std::uint64_t record_swap_bytes,
                          const PageGeometry& pages) {
  const PageSets sets = pages_between(before, after, vma_bytes, traits, record_swap_bytes, pages);
  return {pages.bytes(sets.sure.count()), pages.bytes(sets.possible.count())};
}

std::uint64_t pages_per_fault(const VmaTraits& traits, Range vma_bytes,
                              const KernelCapabilities& capabilities, const PageGeometry& pages) {
  const std::uint64_t size = pages.pages(vma_bytes.length());
  if (traits.anonymous_private) return std::min(size, capabilities.anon_fault_pages);
  const bool large_folios = aligned_pmd_pages(vma_bytes, pages).length() != 0;
  return std::min(size, large_folios ? pages.pages_per_pmd() : capabilities.fault_around_pages);
}

std::uint64_t poisoned_bytes(const PagePass& pass, Range vma_bytes, const PageGeometry& pages) {
  const Range vma{vma_bytes.first / pages.page_bytes, vma_bytes.last / pages.page_bytes};
  return pages.bytes(pages_where(pass, vma, page_state::is_poisoned).count());
}

std::uint64_t zero_file_bytes(const PagePass& before, const PagePass& after, Range vma_bytes,
                              const PageGeometry& pages) {
  const Range vma{vma_bytes.first / pages.page_bytes, vma_bytes.last / pages.page_bytes};
  constexpr unsigned kFlagged = page_state::kPresent | page_state::kFile | page_state::kZero;
  const auto flagged = [](std::uint8_t state) { return (state & kFlagged) == kFlagged; };
  return pages.bytes(
      intersection(pages_where(before, vma, flagged), pages_where(after, vma, flagged)).count());
}

std::uint64_t full_pmd_blocks(const RangeSet& present, Range vma_bytes, const PageGeometry& pages) {
  const Range huge = aligned_pmd_pages(vma_bytes, pages);
  const std::uint64_t block = pages.pages_per_pmd();
  std::uint64_t blocks = 0;
  for (const Range& range : present.ranges()) {
    const std::uint64_t first = (std::max(range.first, huge.first) + block - 1) / block;
    const std::uint64_t last = std::min(range.last, huge.last) / block;
    if (first < last) blocks += last - first;
  }
  return blocks;
}

}  // namespace smaps_audit
