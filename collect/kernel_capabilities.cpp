// SPDX-License-Identifier: Apache-2.0
#include "collect/kernel_capabilities.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <span>
#include <string>

#include "base/parse_int.h"
#include "collect/counter_child.h"
#include "collect/target.h"

namespace smaps_audit {
namespace {

/// Pages of our own that show what a zero page and a huge zero page look like. Never unmapped:
/// their frames must stay theirs as long as the auditor lives.
struct ZeroSpecimens {
  std::uint64_t zero_page = 0;       ///< address
  std::uint64_t huge_zero_page = 0;  ///< address of an aligned PMD range; 0: not to be had
};

ZeroSpecimens map_zero_specimens(const PageGeometry& pages) {
  ZeroSpecimens specimens;
  const auto map = [](std::size_t bytes) -> std::uint64_t {
    void* at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return at == MAP_FAILED ? 0 : reinterpret_cast<std::uint64_t>(at);
  };
  const auto touch = [](std::uint64_t address) {
    static_cast<void>(*reinterpret_cast<const volatile char*>(address));
  };
  const std::uint64_t area = map(2 * pages.pmd_bytes);
  if (area != 0) {
    const std::uint64_t aligned = (area + pages.pmd_bytes - 1) / pages.pmd_bytes * pages.pmd_bytes;
    ::madvise(reinterpret_cast<void*>(aligned), pages.pmd_bytes, MADV_HUGEPAGE);
    touch(aligned);
    specimens.huge_zero_page = aligned;
  }
  specimens.zero_page = map(pages.page_bytes);
  if (specimens.zero_page != 0) {
    ::madvise(reinterpret_cast<void*>(specimens.zero_page), pages.page_bytes, MADV_NOHUGEPAGE);
    touch(specimens.zero_page);
  }
  return specimens;
}

std::optional<PagemapWord> read_word(KernelView& view, const KernelFile& pagemap,
                                     std::uint64_t page) {
  PagemapWord word;
  const auto got =
      view.pread(pagemap, std::as_writable_bytes(std::span{&word, 1}), page * sizeof(PagemapWord));
  if (!got || *got != sizeof word) return std::nullopt;
  return word;
}

void probe_pagemap(KernelView& view, const PageGeometry& pages, const ForcedFallbacks& forced,
                   KernelCapabilities& found) {
  static const ZeroSpecimens specimens = map_zero_specimens(pages);
  auto pagemap = view.open(KernelRoot::proc, "self/pagemap");
  if (!pagemap) return;
  const auto zero = read_word(view, *pagemap, specimens.zero_page / pages.page_bytes);
  if (!zero) return;
  found.pagemap = true;
  found.pfn_visible = zero->present() && zero->pfn() != 0 && !forced.no_pfn;
  if (found.pfn_visible) found.zero_pfn = zero->pfn();

  const std::uint64_t huge_page = specimens.huge_zero_page / pages.page_bytes;
  const auto huge = read_word(view, *pagemap, huge_page);
  const auto huge_next = read_word(view, *pagemap, huge_page + 1);
  // A real huge page would be ours alone; the huge zero folio is never "exclusive".
  if (found.pfn_visible && huge && huge_next && huge->present() && !huge->exclusive() &&
      huge_next->pfn() == huge->pfn() + 1) {
    found.huge_zero_pfns = Interval{huge->pfn(), huge->pfn() + pages.pages_per_pmd() - 1};
  }

  if (forced.no_pagemap_scan) return;
  std::array<PageRegion, 4> regions{};
  constexpr std::uint64_t kMask = page_is::kPresent | page_is::kPfnZero | page_is::kHuge;
  const auto scanned = view.pagemap_scan(*pagemap, specimens.huge_zero_page,
                                         specimens.huge_zero_page + pages.pmd_bytes,
                                         page_is::kPresent, kMask, regions);
  found.pagemap_scan = scanned.ok();
  found.scan_flags_huge_zero =
      scanned && scanned->regions == 1 && (regions[0].categories & kMask) == kMask;
  found.scan_tells_guard =
      scanned.ok() && view.pagemap_scan(*pagemap, specimens.huge_zero_page,
                                        specimens.huge_zero_page + pages.pmd_bytes,
                                        page_is::kPresent, kMask | page_is::kGuard, regions)
                          .ok();
}

bool can_pread(KernelView& view, const char* path, std::uint64_t offset) {
  auto file = view.open(KernelRoot::proc, path);
  if (!file) return false;
  std::array<std::byte, 8> word{};
  const auto got = view.pread(*file, word, offset);
  return got && *got == word.size();
}

/// Pages that one anonymous fault may map: the largest order below the PMD that is not switched
/// off.
std::uint64_t largest_anon_fault(KernelView& view, const PageGeometry& pages) {
  constexpr std::string_view kPrefix = "hugepages-";
  auto directory = view.open_directory(KernelRoot::sys, "kernel/mm/transparent_hugepage");
  if (!directory) return 1;
  const auto entries = view.list(*directory);
  if (!entries) return 1;
  std::uint64_t largest = 1;
  for (const std::string& entry : *entries) {
    if (!entry.starts_with(kPrefix) || !entry.ends_with("kB")) continue;
    const auto kib = parse_unsigned(
        std::string_view{entry}.substr(kPrefix.size(), entry.size() - kPrefix.size() - 2));
    if (!kib || *kib * 1024 >= pages.pmd_bytes) continue;
    const auto enabled = read_file(view, *directory, entry + "/enabled");
    if (!enabled || enabled->find("[never]") == std::string::npos) {
      largest = std::max(largest, *kib * 1024 / pages.page_bytes);
    }
  }
  return largest;
}

std::uint64_t fault_around(KernelView& view, const PageGeometry& pages) {
  constexpr std::uint64_t kDefaultBytes = 65536;
  const auto text = read_file(view, KernelRoot::sys, "kernel/debug/fault_around_bytes");
  std::optional<std::uint64_t> bytes;
  if (text) bytes = parse_unsigned(std::string_view{*text}.substr(0, text->find('\n')));
  return std::max<std::uint64_t>(1, bytes.value_or(kDefaultBytes) / pages.page_bytes);
}

constexpr std::array kSwitches{FallbackSwitch{"pagemap-scan", &ForcedFallbacks::no_pagemap_scan},
                               FallbackSwitch{"procmap-query", &ForcedFallbacks::no_procmap_query},
                               FallbackSwitch{"pfn", &ForcedFallbacks::no_pfn},
                               FallbackSwitch{"kpageflags", &ForcedFallbacks::no_kpageflags},
                               FallbackSwitch{"kpagecount", &ForcedFallbacks::no_kpagecount},
                               FallbackSwitch{"numa-maps", &ForcedFallbacks::no_numa_maps},
                               FallbackSwitch{"wchan", &ForcedFallbacks::no_wchan}};

}  // namespace

std::span<const FallbackSwitch> fallback_switches() { return kSwitches; }

Result<KernelCapabilities> probe_kernel_capabilities(KernelView& view, const PageGeometry& pages,
                                                     const ForcedFallbacks& forced) {
  KernelCapabilities found;
  auto maps = view.open(KernelRoot::proc, "self/maps");
  if (!maps) return maps.error();
  found.procmap_query = !forced.no_procmap_query && view.procmap_query(*maps, 0).ok();
  found.smaps_rollup = read_file(view, KernelRoot::proc, "self/smaps_rollup").ok();
  found.numa_maps =
      !forced.no_numa_maps && read_file(view, KernelRoot::proc, "self/numa_maps").ok();
  probe_pagemap(view, pages, forced, found);
  found.kpageflags = !forced.no_kpageflags && can_pread(view, "kpageflags", 8 * 4096);
  found.kpagecount = !forced.no_kpagecount && can_pread(view, "kpagecount", 8 * 4096);
  found.fault_around_pages = fault_around(view, pages);
  found.anon_fault_pages = largest_anon_fault(view, pages);
  found.cpus = static_cast<std::uint64_t>(std::max(1L, ::sysconf(_SC_NPROCESSORS_CONF)));

  const CounterChildAnswer child = ask_counter_child(view, pages);
  found.wchan = child.wchan_works && !forced.no_wchan;
  found.rss_counters = child.counters;
  found.exclusive_per_page = child.exclusive_per_page;
  found.mapcount_per_page = child.mapcount_per_page;
  return found;
}

}  // namespace smaps_audit
