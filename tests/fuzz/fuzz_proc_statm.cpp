// SPDX-License-Identifier: Apache-2.0
#include "parsers/proc_status.h"
#include "tests/fuzz/fuzz_check.h"

using namespace smaps_audit;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::Text text(data, size);
  const auto statm = parse_proc_statm(text.view());
  if (!statm) fuzz::require_good_error(statm.error(), text.view());
  return 0;
}
