// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "probes/child.h"
#include "probes/known_memory.h"

namespace smaps_audit::probes {

/// A way into the kernel that reaches a page of ours through get_user_pages() (docs/kernel.md §4).
struct GupCaller {
  std::string_view name;  ///< one word
  /// One page is asked for. False: this kernel or this file system does not offer it.
  std::function<bool(Memory page)> ask;
};

/// All of them; what they need is set up before any memory is hinted, and lives as long as they do.
std::vector<GupCaller> gup_callers(const ProbeChild& child);

/// Interfaces that only look: none of them may take a hint. All pages at once.
void look_at(Memory memory, const ProbeChild& child);

/// An io_uring of our own, for what it can do to pages: no ring is ever mapped.
class FixedBuffers {
 public:
  FixedBuffers();
  /// Pins the memory for as long as this lives. False where io_uring is not to be had.
  bool pin(Memory memory) const;

 private:
  UniqueFd ring_;
};

}  // namespace smaps_audit::probes
