// SPDX-License-Identifier: Apache-2.0
#include "parsers/numa_maps.h"
#include "tests/fuzz/fuzz_check.h"

using namespace smaps_audit;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::Text text(data, size);
  const auto numa_maps = parse_numa_maps(text.view());
  if (!numa_maps) {
    fuzz::require_good_error(numa_maps.error(), text.view());
    return 0;
  }
  for (const NumaMapsRecord& record : numa_maps->records) {
    fuzz::require(!record.policy.empty() && text.holds(record.policy) && text.holds(record.file));
    fuzz::require(record.nodes > 0 || record.total_pages == 0);
    fuzz::require(!record.kernel_page_bytes || *record.kernel_page_bytes >= 1024);
  }
  return 0;
}
