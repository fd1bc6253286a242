// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "collect/kernel_view.h"
#include "collect/target.h"

namespace smaps_audit {

/// A process as one look at its stat shows it.
struct MmUser {
  Nanoseconds at{};
  bool complete = false;  ///< nothing was hidden from us, and it was not about to end
  bool kernel_thread = false;
  bool shows_mm = false;
  int task = 0;                  ///< a living thread of it; 0: it has no mm
  std::uint64_t start_code = 0;  ///< users of one mm have both starts in common (so does a fork)
  std::uint64_t start_stack = 0;

  /// Since it was listed; then it may have left behind another user of its mm, who was not.
  [[nodiscard]] bool may_have_ended() const { return !kernel_thread && !shows_mm; }
};

/// Does another thread group use a target's mm (vfork, CLONE_VM)? Such a target counts as awake
/// whatever its own threads do, and faults of the others are in nobody's counters that we read.
/// Unknown counts as shared. Looks at every process of the host; one whose stat is not shown to us
/// in full stays unseen.
bool may_share_mm(KernelView& view, const Target& target);

/// The same for many audits, without reading stat of every process for each: that would take longer
/// than the audits where there are thousands. What it keeps cannot go stale, because two thread
/// groups that are both there and use different mms never come to share one
/// (docs/soundness.md §2). So a process is looked at once, and again for a target that is younger.
class MmSharing {
 public:
  bool may_be_shared(KernelView& view, const Target& target);

 private:
  struct Seen {
    std::optional<FileIdentity> identity;  ///< of its directory: a pid alone comes again
    std::uint64_t known_in = 0;            ///< the question at which it was there first
    std::uint64_t looked_in = 0;           ///< that at which `user` was read
    MmUser user;
  };

  Result<bool> add_present(KernelView& view, const KernelFile& proc, std::map<int, Seen>& present);
  bool list(KernelView& view, const KernelFile& proc);
  std::optional<bool> ask(KernelView& view, const KernelFile& proc, const Target& target);
  static Seen& look_again(KernelView& view, const KernelFile& proc, int pid, std::uint64_t question,
                          Seen& seen);
  std::uint64_t known_since(const Target& target);

  std::map<int, Seen> seen_;
  std::uint64_t question_ = 0;
  std::optional<std::uint64_t> forks_;  ///< of the host, before `seen_` was listed
};

}  // namespace smaps_audit
