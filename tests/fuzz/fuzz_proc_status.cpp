// SPDX-License-Identifier: Apache-2.0
#include "parsers/proc_status.h"
#include "tests/fuzz/fuzz_check.h"

using namespace smaps_audit;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::Text text(data, size);
  const auto status = parse_proc_status(text.view());
  if (status) {
    fuzz::require(text.holds(status->name) && status->name.find('\n') == std::string_view::npos);
  } else {
    fuzz::require_good_error(status.error(), text.view());
  }
  return 0;
}
