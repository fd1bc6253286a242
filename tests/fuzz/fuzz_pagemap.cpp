// SPDX-License-Identifier: Apache-2.0
#include <cstring>

#include "parsers/pagemap.h"
#include "tests/fuzz/fuzz_check.h"

using namespace smaps_audit;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::uint8_t> input(data, size);
  const auto words = parse_pagemap(std::as_bytes(input));
  fuzz::require(words.ok() == (size % 8 == 0));
  if (words) fuzz::require(words->size() == size / 8);

  // The same bytes as the answer of a PAGEMAP_SCAN.
  std::vector<PageRegion> regions(size / sizeof(PageRegion));
  if (!regions.empty()) std::memcpy(regions.data(), data, regions.size() * sizeof(PageRegion));
  constexpr std::uint64_t kStart = 0x10000;
  constexpr std::uint64_t kEnd = 0x20000;
  const auto checked = validate_page_regions(regions, kStart, kEnd, 4096);
  if (!checked) {
    fuzz::require(checked.error().code == ErrorCode::malformed);
    fuzz::require(checked.error().line.has_value() && *checked.error().line < regions.size());
    return 0;
  }
  std::uint64_t covered = 0;
  for (const PageRegion& region : regions) covered += region.end - region.start;
  fuzz::require(covered <= kEnd - kStart);
  return 0;
}
