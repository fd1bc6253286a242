// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/page_geometry.h"
#include "collect/kernel_capabilities.h"
#include "collect/kernel_view.h"
#include "collect/page_pass.h"

namespace smaps_audit {

/// Whether a PMD maps all pages of a block. EXCLUSIVE then speaks for the first of them only, on
/// every kernel that has K09.
enum class PmdMapped : std::uint8_t { no, yes, maybe };

/// Finds out how often pages are mapped: by /proc/kpagecount where page frame numbers are visible,
/// else as far as EXCLUSIVE tells (docs/method.md §7).
class PageCounts {
 public:
  PageCounts(KernelView& view, const KernelCapabilities& capabilities, const PageGeometry& pages);

  /// `words`: of consecutive pages inside one PMD's range, from `first_page`. Appends to
  /// `pass.mappings` what is known of those that are present. What can't be read stays unknown.
  void add(std::uint64_t first_page, std::span<const PagemapWord> words, PmdMapped pmd,
           PagePass& pass);

  /// Could a PMD map these pages? Judged by the words alone, as on kernels without PAGEMAP_SCAN.
  [[nodiscard]] PmdMapped may_be_pmd(std::uint64_t first_page,
                                     std::span<const PagemapWord> words) const;

 private:
  [[nodiscard]] bool counts_readable() const {
    return capabilities_.kpagecount && capabilities_.pfn_visible;
  }
  void read_counts(std::span<const PagemapWord> words, bool all);
  void read_counts(std::uint64_t first_pfn, std::uint64_t last_pfn);

  struct Wanted {
    std::uint64_t pfn = 0;
    std::size_t at = 0;  ///< index of the word
  };

  KernelView& view_;
  const KernelCapabilities& capabilities_;
  PageGeometry pages_;
  KernelFile kpagecount_;
  bool opened_ = false;
  std::vector<Wanted> wanted_;
  std::vector<std::uint64_t> frame_counts_;
  std::vector<std::uint32_t> counts_;  ///< per word; kAnyNumber: not known
};

}  // namespace smaps_audit
