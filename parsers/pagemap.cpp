// SPDX-License-Identifier: Apache-2.0
#include "parsers/pagemap.h"

#include <bit>
#include <cstring>
#include <string>

namespace smaps_audit {
namespace {

static_assert(sizeof(PagemapWord) == sizeof(std::uint64_t));

const char* problem_of(const PageRegion& region, std::uint64_t earliest, std::uint64_t walk_end,
                       std::uint64_t page_bytes) {
  if (region.start % page_bytes != 0 || region.end % page_bytes != 0) {
    return " is not made of whole pages";
  }
  if (region.start >= region.end) return " is empty or reversed";
  if (region.start < earliest)
    return " starts before the range asked for or the region before it ends";
  if (region.end > walk_end) return " ends behind the end of the walk";
  return nullptr;
}

}  // namespace

Result<std::vector<PagemapWord>> parse_pagemap(std::span<const std::byte> bytes) {
  if (bytes.size() % sizeof(PagemapWord) != 0) {
    return Error{.code = ErrorCode::truncated,
                 .what = "the words of pagemap end within a word",
                 .offset = bytes.size() / sizeof(PagemapWord) * sizeof(PagemapWord)};
  }
  std::vector<PagemapWord> words(bytes.size() / sizeof(PagemapWord));
  if (!bytes.empty()) std::memcpy(words.data(), bytes.data(), bytes.size());
  return words;
}

Result<Ok> validate_page_regions(std::span<const PageRegion> regions, std::uint64_t start,
                                 std::uint64_t walk_end, std::uint64_t page_bytes) {
  if (!std::has_single_bit(page_bytes)) {
    return Error{.code = ErrorCode::usage, .what = "the size of a page is no power of two"};
  }
  std::uint64_t earliest = start;
  for (std::size_t index = 0; index < regions.size(); ++index) {
    const char* const problem = problem_of(regions[index], earliest, walk_end, page_bytes);
    if (problem != nullptr) {
      return Error{.code = ErrorCode::malformed,
                   .what = "region " + std::to_string(index) + " of PAGEMAP_SCAN" + problem,
                   .line = index};
    }
    earliest = regions[index].end;
  }
  return Ok{};
}

}  // namespace smaps_audit
