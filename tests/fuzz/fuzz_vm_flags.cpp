// SPDX-License-Identifier: Apache-2.0
#include "parsers/vm_flags.h"
#include "tests/fuzz/fuzz_check.h"

using namespace smaps_audit;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::Text text(data, size);
  const VmFlags flags = parse_vm_flags(text.view());
  fuzz::require(flags.known < 1u << 16 && flags.unknown <= size);
  return 0;
}
