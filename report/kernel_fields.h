// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string_view>

namespace smaps_audit {

/// A number that the kernel tells of a process, and what of it is audited (docs/kernel.md §1.3).
struct KernelField {
  std::string_view file;     ///< "smaps", "status" … as name_of(Interface)
  std::string_view name;     ///< as the kernel spells it, without the colon
  std::string_view meaning;  ///< a sentence
  std::string_view checks;   ///< ids, blank between them; empty: no check asks about it
  std::string_view judged;   ///< who else tells of it; or why nobody does
};

/// Every field of smaps, smaps_rollup, numa_maps, status, statm and pagemap, by file.
std::span<const KernelField> kernel_fields();

}  // namespace smaps_audit
