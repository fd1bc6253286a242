// SPDX-License-Identifier: Apache-2.0
#include "collect/page_reader.h"

#include <algorithm>

namespace smaps_audit {
namespace {

constexpr std::size_t kRegionsPerCall = 512;
// Bounds how long one PAGEMAP_SCAN holds mmap_lock: 256 MiB of 4 KiB pages take about 2 ms.
constexpr std::uint64_t kScanBytesPerCall = 256u << 20;
// VMAs nearer than this are scanned in one call: a hole costs the kernel nothing.
constexpr std::uint64_t kScanAcrossHole = 64u << 20;
// FILE makes the kernel look at every struct page, 3/4 of a scan's time, and decides nothing where
// no file is mapped (docs/method.md §4). From this size on a call of its own costs less than
// asking.
constexpr std::uint64_t kOwnScanBytes = 1u << 20;
// Swap types below are real swap on every configuration; those above may be migration, device or
// hwpoison entries and markers (include/linux/swap.h, docs/method.md §4).
constexpr std::uint64_t kFirstSpecialSwapType = 23;
constexpr std::uint64_t kPageFlagHwPoison = std::uint64_t{1} << 19;  // KPF_HWPOISON

}  // namespace

PageReader::PageReader(KernelView& view, const KernelCapabilities& capabilities,
                       const PageGeometry& pages)
    : view_(view), capabilities_(capabilities), pages_(pages), counts_(view, capabilities, pages) {}

Result<Ok> PageReader::walk(const KernelFile& pagemap, std::span<const Range> vmas, PagePass& pass,
                            const RangeSet& without_file, Mappings mappings) {
  pass.by_scan = capabilities_.pagemap_scan;
  if (!pass.by_scan) return walk_plain(pagemap, vmas, pass, mappings);
  Result<Ok> walked = walk_by_scan(pagemap, vmas, pass, without_file);
  if (walked && mappings == Mappings::counted) count_present(pagemap, pass);
  return walked;
}

Result<Ok> PageReader::walk_by_scan(const KernelFile& pagemap, std::span<const Range> vmas,
                                    PagePass& pass, const RangeSet& without_file) {
  std::size_t next = 0;
  std::uint64_t begin = 0;  // of a hole that the next scan covers too
  while (next < vmas.size()) {
    Range range{begin != 0 ? begin : vmas[next].first, vmas[next].last};
    bool file = !without_file.contains(vmas[next++]);
    begin = 0;
    while (next < vmas.size() && vmas[next].first - range.last <= kScanAcrossHole) {
      const bool next_file = !without_file.contains(vmas[next]);
      const std::uint64_t fileless_bytes = file ? vmas[next].length() : range.length();
      if (file != next_file && fileless_bytes >= kOwnScanBytes) {
        // What a hole may hold by now is asked for FILE.
        if (file) range.last = vmas[next].first;
        begin = range.last;
        break;
      }
      file = file || next_file;
      range.last = vmas[next++].last;
    }
    Result<Ok> scanned = scan(pagemap, range, file, pass);
    if (!scanned) return scanned;
    pass.covered.append(range);
  }
  return Ok{};
}

Result<Ok> PageReader::scan(const KernelFile& pagemap, Range range, bool ask_for_file,
                            PagePass& pass) {
  constexpr std::uint64_t kAnyOf = page_is::kPresent | page_is::kSwapped;
  const std::uint64_t returned = page_is::kPresent | page_is::kSwapped | page_is::kPfnZero |
                                 page_is::kHuge | (ask_for_file ? page_is::kFile : 0) |
                                 (capabilities_.scan_tells_guard ? page_is::kGuard : 0);
  regions_.resize(kRegionsPerCall);
  std::uint64_t from = range.first;
  while (from < range.last) {
    const std::uint64_t to = std::min(range.last, from + kScanBytesPerCall);
    const auto answer = view_.pagemap_scan(pagemap, from, to, kAnyOf, returned, regions_);
    if (!answer) return answer.error();
    const std::span<const PageRegion> found{regions_.data(), answer->regions};
    const Result<Ok> valid =
        validate_page_regions(found, from, answer->walk_end, pages_.page_bytes);
    if (!valid || answer->walk_end <= from) {
      return Error{.code = ErrorCode::malformed,
                   .what = valid ? "PAGEMAP_SCAN made no progress" : valid.error().what,
                   .file = pagemap.path(),
                   .offset = from};
    }
    for (const PageRegion& region : found) {
      const std::uint64_t first = region.start / pages_.page_bytes;
      const std::uint64_t last = region.end / pages_.page_bytes;
      const std::uint8_t state = state_of(region);
      if ((state & page_state::kSwapped) != 0 && capabilities_.pfn_visible) {
        Result<Ok> appended = append_swapped(pagemap, first, last, pass);
        if (!appended) return appended;
      } else {
        pass.append(first, last, state);
      }
    }
    from = answer->walk_end;
  }
  return Ok{};
}

std::uint8_t PageReader::state_of(const PageRegion& region) const {
  const auto has = [&](std::uint64_t category) { return (region.categories & category) != 0; };
  // HUGE comes with an empty PMD too, so nothing is concluded from it without PRESENT.
  // A guard marker holds no page: it is as if nothing were there.
  if (!has(page_is::kPresent)) {
    return has(page_is::kSwapped) && !has(page_is::kGuard) ? page_state::kSwapped : 0;
  }
  unsigned state = page_state::kPresent;
  if (has(page_is::kFile)) state |= page_state::kFile;
  if (has(page_is::kHuge)) state |= page_state::kHuge;
  if (has(page_is::kPfnZero)) {
    state |= page_state::kZero;
  } else if (!has(page_is::kHuge) || capabilities_.scan_flags_huge_zero) {
    state |= page_state::kNotZero;
  }
  return static_cast<std::uint8_t>(state);
}

/// PAGEMAP_SCAN does not tell what a swapped entry is; the words do, where PFNs are visible.
Result<Ok> PageReader::append_swapped(const KernelFile& pagemap, std::uint64_t first_page,
                                      std::uint64_t last_page, PagePass& pass) {
  const std::uint64_t block = pages_.pages_per_pmd();
  while (first_page < last_page) {
    const std::uint64_t stop = std::min(last_page, (first_page / block + 1) * block);
    Result<Ok> read = read_block(pagemap, first_page, stop, pass, Mappings::ignored);
    if (!read) return read;
    first_page = stop;
  }
  return Ok{};
}

/// The present pages that a scan found, block by block. What can't be read stays unknown: Rss does
/// not depend on it.
void PageReader::count_present(const KernelFile& pagemap, PagePass& pass) {
  const std::uint64_t block = pages_.pages_per_pmd();
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  bool huge = false;
  const auto count = [&] {
    const std::uint64_t bytes = pages_.bytes(last - first);
    if (bytes == 0 || bytes > count_budget_bytes_) return;
    count_budget_bytes_ -= bytes;
    if (!read_words(pagemap, first, last)) return;
    counts_.add(first, words_, huge ? PmdMapped::yes : PmdMapped::no, pass);
  };
  for (const PageRun& run : pass.runs) {
    const bool present =
        (run.state & (page_state::kPresent | page_state::kZero)) == page_state::kPresent;
    for (std::uint64_t at = run.first; present && at < run.last;) {
      const std::uint64_t stop = std::min(run.last, (at / block + 1) * block);
      if (last == 0 || first / block != at / block) {
        count();
        first = at;
        huge = (run.state & page_state::kHuge) != 0;
      }
      last = stop;
      at = stop;
    }
  }
  count();
}

Result<Ok> PageReader::walk_plain(const KernelFile& pagemap, std::span<const Range> vmas,
                                  PagePass& pass, Mappings mappings) {
  const std::uint64_t block = pages_.pages_per_pmd();
  std::uint64_t pending_first = 0;
  std::uint64_t pending_last = 0;
  for (const Range& vma : vmas) {
    std::uint64_t first = vma.first / pages_.page_bytes;
    const std::uint64_t last = vma.last / pages_.page_bytes;
    while (first < last) {
      const std::uint64_t stop = std::min(last, (first / block + 1) * block);
      if (pending_last != 0 && pending_first / block == first / block) {
        pending_last = stop;
      } else {
        Result<Ok> read = read_block(pagemap, pending_first, pending_last, pass, mappings);
        if (!read) return read;
        pending_first = first;
        pending_last = stop;
      }
      first = stop;
    }
    pass.covered.append(vma);
  }
  return read_block(pagemap, pending_first, pending_last, pass, mappings);
}

/// One pread inside one PMD's range: on kernels up to 6.4 a PMD that changes under the walk makes
/// the read run on past its end, shifted by 2 MiB, without an error (docs/method.md §3).
Result<Ok> PageReader::read_words(const KernelFile& pagemap, std::uint64_t first_page,
                                  std::uint64_t last_page) {
  words_.resize(last_page - first_page);
  const std::span<std::byte> bytes = std::as_writable_bytes(std::span{words_});
  std::size_t filled = 0;
  while (filled < bytes.size()) {
    const auto got =
        view_.pread(pagemap, bytes.subspan(filled), first_page * sizeof(PagemapWord) + filled);
    if (!got) return got.error();
    if (*got == 0) {
      return Error{.code = ErrorCode::gone,
                   .what = "the address space behind it is gone",
                   .file = pagemap.path(),
                   .offset = first_page * sizeof(PagemapWord) + filled};
    }
    filled += *got;
  }
  return Ok{};
}

Result<Ok> PageReader::read_block(const KernelFile& pagemap, std::uint64_t first_page,
                                  std::uint64_t last_page, PagePass& pass, Mappings mappings) {
  if (first_page >= last_page) return Ok{};
  Result<Ok> read = read_words(pagemap, first_page, last_page);
  if (!read) return read;
  for (std::uint64_t page = first_page; page < last_page; ++page) {
    const PagemapWord word = words_[page - first_page];
    if (word.raw == 0) continue;
    std::uint8_t state = state_of(word, page);
    if ((state & page_state::kSwapped) != 0 && (state & page_state::kRealSwap) == 0 &&
        is_poisoned(word)) {
      state |= page_state::kRealSwap | page_state::kPoisoned;
    }
    pass.append(page, page + 1, state);
  }
  if (mappings == Mappings::counted) {
    counts_.add(first_page, words_, counts_.may_be_pmd(first_page, words_), pass);
  }
  return Ok{};
}

std::uint8_t PageReader::state_of(PagemapWord word, std::uint64_t page) const {
  unsigned state = 0;
  // The huge zero folio is aligned and mapped by a PMD only; where a host has none to show (THP is
  // "never"), a frame that does not lie like that is not of it.
  const std::uint64_t block = pages_.pages_per_pmd();
  const bool lies_like_huge = word.pfn() % block == page % block;
  if (word.present()) {
    state |= page_state::kPresent;
    if (word.file()) state |= page_state::kFile;
    if (word.exclusive()) state |= page_state::kExclusive;
    if (capabilities_.pfn_visible && word.pfn() != 0 && capabilities_.zero_pfn) {
      const bool huge_zero =
          capabilities_.huge_zero_pfns && capabilities_.huge_zero_pfns->contains(word.pfn());
      if (word.pfn() == *capabilities_.zero_pfn || huge_zero) {
        state |= page_state::kZero;
      } else if (capabilities_.huge_zero_pfns || word.exclusive() || !lies_like_huge) {
        state |= page_state::kNotZero;
      }
    }
  } else if (word.swapped() && !word.guard()) {
    state |= page_state::kSwapped;
    if (capabilities_.pfn_visible && (word.raw & ((std::uint64_t{1} << 55) - 1)) != 0 &&
        word.swap_type() < kFirstSpecialSwapType) {
      state |= page_state::kRealSwap;
    }
  }
  return static_cast<std::uint8_t>(state);
}

/// A hwpoison entry keeps the PFN in its offset (K08).
bool PageReader::is_poisoned(PagemapWord word) {
  if (!capabilities_.kpageflags || !capabilities_.pfn_visible || word.swap_offset() == 0)
    return false;
  if (!kpageflags_) {
    auto opened = view_.open(KernelRoot::proc, "kpageflags");
    if (!opened) return false;
    kpageflags_ = *std::move(opened);
  }
  std::uint64_t flags = 0;
  const auto got = view_.pread(kpageflags_, std::as_writable_bytes(std::span{&flags, 1}),
                               word.swap_offset() * sizeof flags);
  return got && *got == sizeof flags && (flags & kPageFlagHwPoison) != 0;
}

}  // namespace smaps_audit
