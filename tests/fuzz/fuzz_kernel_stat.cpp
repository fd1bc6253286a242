// SPDX-License-Identifier: Apache-2.0
#include "parsers/kernel_stat.h"
#include "tests/fuzz/fuzz_check.h"

using namespace smaps_audit;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::Text text(data, size);
  const auto kernel_stat = parse_kernel_stat(text.view());
  if (!kernel_stat) fuzz::require_good_error(kernel_stat.error(), text.view());
  return 0;
}
