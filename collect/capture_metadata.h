// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "collect/host.h"
#include "collect/kernel_capabilities.h"

namespace smaps_audit {

/// What a replay must know before its first read: the first event of a capture, as JSON.
struct CaptureMetadata {
  std::string tool_version;
  HostInfo host;
  KernelCapabilities capabilities;
  int pid = 0;
  bool full_series = false;  ///< the confirming series was run for every VMA
  bool frozen = false;       ///< --freeze
  std::uint32_t uid = 0;     ///< of the process that captured
  std::int64_t deadline_ns = 0;
  std::string comm;  ///< bytes of the target's choosing
};

/// Bytes above 127 of `comm` and `thp` are written as U+0080…U+00FF, so that any bytes come back.
std::string capture_metadata_to_json(const CaptureMetadata& metadata);

/// Strict: a missing or mistyped key is `malformed` and named; unknown keys are ignored.
Result<CaptureMetadata> capture_metadata_from_json(std::string_view json);

}  // namespace smaps_audit
