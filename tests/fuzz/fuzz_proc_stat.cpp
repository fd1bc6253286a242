// SPDX-License-Identifier: Apache-2.0
#include "parsers/proc_stat.h"
#include "tests/fuzz/fuzz_check.h"

using namespace smaps_audit;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::Text text(data, size);
  const auto stat = parse_proc_stat(text.view());
  if (stat) {
    fuzz::require(text.holds(stat->comm) && stat->state != '?');
  } else {
    fuzz::require_good_error(stat.error(), text.view());
  }
  return 0;
}
