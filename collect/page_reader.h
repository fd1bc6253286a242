// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/page_geometry.h"
#include "base/range_set.h"
#include "collect/kernel_capabilities.h"
#include "collect/kernel_view.h"
#include "collect/page_counts.h"
#include "collect/page_pass.h"

namespace smaps_audit {

/// PAGEMAP_SCAN tells no EXCLUSIVE and no frame, so that present pages are read once more for their
/// mappings; so many bytes of them in the life of a reader, then nothing more is known of them.
inline constexpr std::uint64_t kCountBudgetBytes = std::uint64_t{256} << 30;

/// Is it asked how often pages are mapped (PagePass::mappings)?
enum class Mappings : std::uint8_t { ignored, counted };

/// Makes page passes over one target, by PAGEMAP_SCAN or by plain reads (docs/method.md §3).
/// Holds the buffers, so one reader serves a whole audit.
class PageReader {
 public:
  PageReader(KernelView& view, const KernelCapabilities& capabilities, const PageGeometry& pages);

  /// Walks `vmas` (ascending, disjoint, bytes) by the best way there is, appending to `pass`.
  /// `without_file`: which of them map no file, so that their pages need not be asked for FILE; one
  /// that does map a file by the time of the walk loses certainty only.
  Result<Ok> walk(const KernelFile& pagemap, std::span<const Range> vmas, PagePass& pass,
                  const RangeSet& without_file = {}, Mappings mappings = Mappings::ignored);
  /// The same by plain reads always: the second witness of I12.
  Result<Ok> walk_plain(const KernelFile& pagemap, std::span<const Range> vmas, PagePass& pass,
                        Mappings mappings = Mappings::ignored);

 private:
  Result<Ok> walk_by_scan(const KernelFile& pagemap, std::span<const Range> vmas, PagePass& pass,
                          const RangeSet& without_file);
  Result<Ok> scan(const KernelFile& pagemap, Range range, bool ask_for_file, PagePass& pass);
  Result<Ok> read_block(const KernelFile& pagemap, std::uint64_t first_page,
                        std::uint64_t last_page, PagePass& pass, Mappings mappings);
  Result<Ok> read_words(const KernelFile& pagemap, std::uint64_t first_page,
                        std::uint64_t last_page);
  void count_present(const KernelFile& pagemap, PagePass& pass);
  Result<Ok> append_swapped(const KernelFile& pagemap, std::uint64_t first_page,
                            std::uint64_t last_page, PagePass& pass);
  [[nodiscard]] std::uint8_t state_of(PagemapWord word, std::uint64_t page) const;
  [[nodiscard]] std::uint8_t state_of(const PageRegion& region) const;
  [[nodiscard]] bool is_poisoned(PagemapWord word);

  KernelView& view_;
  const KernelCapabilities& capabilities_;
  PageGeometry pages_;
  PageCounts counts_;
  std::uint64_t count_budget_bytes_ = kCountBudgetBytes;
  std::vector<PagemapWord> words_;
  std::vector<PageRegion> regions_;
  KernelFile kpageflags_;
};

}  // namespace smaps_audit
