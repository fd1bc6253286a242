// SPDX-License-Identifier: Apache-2.0
#include "parsers/vma_header.h"
#include "tests/fuzz/fuzz_check.h"

using namespace smaps_audit;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::Text text(data, size);
  const auto maps = parse_maps(text.view());
  if (!maps) {
    fuzz::require_good_error(maps.error(), text.view());
    return 0;
  }
  for (const VmaHeader& header : *maps) {
    fuzz::require(header.start < header.end && header.start % 4096 == 0 && header.end % 4096 == 0);
    fuzz::require(text.holds(header.name) && header.name.find('\n') == std::string_view::npos);
  }
  return 0;
}
