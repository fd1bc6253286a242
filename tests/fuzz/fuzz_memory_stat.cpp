// SPDX-License-Identifier: Apache-2.0
#include "parsers/memory_stat.h"
#include "tests/fuzz/fuzz_check.h"

using namespace smaps_audit;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::Text text(data, size);
  const auto parsed = parse_memory_stat(text.view());
  if (!parsed) fuzz::require_good_error(parsed.error(), text.view());
  return 0;
}
