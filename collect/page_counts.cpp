// SPDX-License-Identifier: Apache-2.0
#include "collect/page_counts.h"

#include <algorithm>

namespace smaps_audit {
namespace {

// Frames between two wanted ones that cost less to read than another system call.
constexpr std::uint64_t kReadAcrossFrames = 16;

MappingRun one_page(std::uint64_t page, std::uint32_t fewest, std::uint32_t most, bool exclusive) {
  return {.first = page, .last = page + 1, .fewest = fewest, .most = most, .exclusive = exclusive};
}

}  // namespace

PageCounts::PageCounts(KernelView& view, const KernelCapabilities& capabilities,
                       const PageGeometry& pages)
    : view_(view), capabilities_(capabilities), pages_(pages) {}

PmdMapped PageCounts::may_be_pmd(std::uint64_t first_page,
                                 std::span<const PagemapWord> words) const {
  const std::uint64_t block = pages_.pages_per_pmd();
  if (words.size() != block || first_page % block != 0) return PmdMapped::no;
  const PagemapWord head = words.front();
  const bool frames = capabilities_.pfn_visible && head.pfn() != 0;
  if (frames && head.pfn() % block != 0) return PmdMapped::no;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const PagemapWord word = words[i];
    const bool alike = word.present() && word.file() == head.file() &&
                       (capabilities_.exclusive_per_page || word.exclusive() == head.exclusive());
    if (!alike || (frames && word.pfn() != head.pfn() + i)) return PmdMapped::no;
  }
  return PmdMapped::maybe;
}

void PageCounts::add(std::uint64_t first_page, std::span<const PagemapWord> words, PmdMapped pmd,
                     PagePass& pass) {
  const bool head_speaks = pmd != PmdMapped::no && !capabilities_.exclusive_per_page;
  counts_.assign(words.size(), kAnyNumber);
  if (counts_readable()) read_counts(words, pmd != PmdMapped::no);
  for (std::size_t i = 0; i < words.size(); ++i) {
    const PagemapWord word = words[i];
    if (!word.present()) continue;
    const std::uint64_t page = first_page + i;
    const bool exclusive = word.exclusive();
    const bool is_head = page % pages_.pages_per_pmd() == 0;
    if (counts_[i] != kAnyNumber) {
      // smaps takes a page that nothing is known to map for a private one.
      const std::uint32_t count = std::max<std::uint32_t>(counts_[i], 1);
      pass.append_mappings(one_page(page, count, count, exclusive));
    } else if (head_speaks && !is_head) {
      pass.append_mappings(one_page(page, 1, kAnyNumber, exclusive));
    } else if (exclusive) {
      pass.append_mappings(one_page(page, 1, 1, true));
    } else {
      pass.append_mappings(one_page(page, 2, kAnyNumber, false));
    }
  }
}

/// Of pages that claim to be exclusive nothing more is asked, unless `all` is.
void PageCounts::read_counts(std::span<const PagemapWord> words, bool all) {
  wanted_.clear();
  for (std::size_t i = 0; i < words.size(); ++i) {
    const PagemapWord word = words[i];
    const bool zero = word.pfn() == 0 || word.pfn() == capabilities_.zero_pfn;
    if (word.present() && !zero && (all || !word.exclusive())) wanted_.push_back({word.pfn(), i});
  }
  std::sort(wanted_.begin(), wanted_.end(),
            [](const Wanted& a, const Wanted& b) { return a.pfn < b.pfn; });
  for (std::size_t from = 0; from < wanted_.size();) {
    std::size_t to = from + 1;
    while (to < wanted_.size() && wanted_[to].pfn - wanted_[to - 1].pfn <= kReadAcrossFrames) ++to;
    const std::uint64_t first = wanted_[from].pfn;
    read_counts(first, wanted_[to - 1].pfn + 1);
    for (; from < to; ++from) {
      const std::uint64_t frame = wanted_[from].pfn - first;
      if (frame < frame_counts_.size()) {
        counts_[wanted_[from].at] = static_cast<std::uint32_t>(
            std::min<std::uint64_t>(frame_counts_[frame], kAnyNumber - 1));
      }
    }
  }
}

void PageCounts::read_counts(std::uint64_t first_pfn, std::uint64_t last_pfn) {
  frame_counts_.clear();
  if (!opened_) {
    opened_ = true;
    auto file = view_.open(KernelRoot::proc, "kpagecount");
    if (file) kpagecount_ = *std::move(file);
  }
  if (!kpagecount_) return;
  frame_counts_.resize(last_pfn - first_pfn);
  const auto got =
      view_.pread(kpagecount_, std::as_writable_bytes(std::span{frame_counts_}), first_pfn * 8);
  frame_counts_.resize(got ? *got / 8 : 0);
}

}  // namespace smaps_audit
