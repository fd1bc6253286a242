// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"

namespace smaps_audit {

/// What the audit needs of /proc/stat (fs/proc/stat.c: show_stat), the file of the whole host.
struct KernelStat {
  /// "processes": tasks, threads among them, that were made since the boot, in all namespaces.
  std::optional<std::uint64_t> forks;
};

/// Errors: `malformed` (the number of forks is none, or stands twice), `truncated` (empty, no '\n'
/// at the end). Other lines are skipped.
Result<KernelStat> parse_kernel_stat(std::string_view text);

}  // namespace smaps_audit
