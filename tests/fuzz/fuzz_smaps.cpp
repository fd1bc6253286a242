// SPDX-License-Identifier: Apache-2.0
#include "parsers/smaps.h"
#include "tests/fuzz/fuzz_check.h"

using namespace smaps_audit;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::Text text(data, size);
  const auto smaps = parse_smaps(text.view());
  if (!smaps) {
    fuzz::require_good_error(smaps.error(), text.view());
    return 0;
  }
  std::uint64_t unknown_fields = 0;
  for (const SmapsRecord& record : smaps->records) {
    fuzz::require(record.header.start < record.header.end);
    fuzz::require(text.holds(record.header.name));
    for (std::size_t i = 0; i < kSmapsFieldCount; ++i) {
      const auto bytes = record.values.bytes(static_cast<SmapsField>(i));
      fuzz::require(!bytes || *bytes % 1024 == 0);
    }
    unknown_fields += record.unknown_fields;
  }
  fuzz::require(unknown_fields == smaps->unknown_fields);
  return 0;
}
