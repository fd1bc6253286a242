// SPDX-License-Identifier: Apache-2.0
#include "parsers/smaps.h"
#include "tests/fuzz/fuzz_check.h"

using namespace smaps_audit;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::Text text(data, size);
  const auto rollup = parse_smaps_rollup(text.view());
  if (!rollup) {
    fuzz::require_good_error(rollup.error(), text.view());
    return 0;
  }
  fuzz::require(rollup->header.name == "[rollup]" && text.holds(rollup->header.name));
  fuzz::require(rollup->header.start <= rollup->header.end);
  return 0;
}
