// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace smaps_audit {

/// Sizes that the kernel under audit uses; taken from the host (or the capture), never assumed.
struct PageGeometry {
  std::uint64_t page_bytes = 4096;
  std::uint64_t pmd_bytes = 2097152;

  [[nodiscard]] std::uint64_t pages_per_pmd() const { return pmd_bytes / page_bytes; }
  [[nodiscard]] std::uint64_t pages(std::uint64_t bytes) const { return bytes / page_bytes; }
  [[nodiscard]] std::uint64_t bytes(std::uint64_t pages) const { return pages * page_bytes; }
  bool operator==(const PageGeometry&) const = default;
};

}  // namespace smaps_audit
