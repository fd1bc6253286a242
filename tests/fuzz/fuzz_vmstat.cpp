// SPDX-License-Identifier: Apache-2.0
#include "parsers/vmstat.h"
#include "tests/fuzz/fuzz_check.h"

using namespace smaps_audit;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::Text text(data, size);
  const auto vmstat = parse_vmstat(text.view());
  if (!vmstat) fuzz::require_good_error(vmstat.error(), text.view());
  return 0;
}
