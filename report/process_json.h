// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "audit/verdict.h"
#include "base/result.h"

namespace smaps_audit {

/// One element of `processes` without a '\n': what write_process_line() writes.
std::string process_to_json(const ProcessReport& process);

/// And back. Error `malformed` for what is no such element; fields that it does not know are passed
/// over. Names stay as the report escaped them.
Result<ProcessReport> process_from_json(std::string_view text);

}  // namespace smaps_audit
