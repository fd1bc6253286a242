// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "tests/support/text_edit.h"

namespace smaps_audit {

/// A lie to put into a capture: one number, in every read of one file of the target.
struct CaptureEdit {
  /// smaps, smaps_rollup, status (and whatever else has "FIELD: n kB"), statm, numa_maps, pagemap,
  /// pagemap_scan
  std::string file;
  std::optional<std::uint64_t> vma_start = {};     ///< smaps, numa_maps
  std::string field = {};                          ///< "Rss", "resident"; of numa_maps "N0", "anon"
  Change change = {};                              ///< kB, or pages where the file counts those
  std::optional<std::uint64_t> page_address = {};  ///< pagemap, pagemap_scan
  bool present = false;                            ///< what that page is made
};

/// Copies a capture with the lie in it; the answer is how many reads were changed.
/// Error `usage`: nothing matched, a number would become negative, or the changed answer does not
/// fit into what the read asked for.
Result<std::uint64_t> edit_capture(const std::string& in, const std::string& out,
                                   const CaptureEdit& edit);

/// What the last whole reading of that file of the target said. Error `usage`: it was never read.
Result<std::string> last_text(const std::string& capture, std::string_view file);

}  // namespace smaps_audit
