// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "collect/kernel_view.h"
#include "daemon/protocol.h"

namespace smaps_audit::service {

/// Apart by more than this in a screening is worth an audit. The counters' own error may be larger
/// (docs/kernel.md §2): then an audit is made in vain, and not again soon.
inline constexpr std::uint64_t kSuspiciousGapBytes = std::uint64_t{1} << 20;

/// What a screening says of a process whose page tables are too large.
inline constexpr const char* kTooLarge = "stall_budget";

/// All that have a number in /proc, ascending.
Result<std::vector<int>> list_pids(KernelView& view);

/// Lists and screens processes, each file once a sweep: what one of both has read of a process, the
/// other need not read again.
class Screener {
 public:
  explicit Screener(KernelView& view) : view_(view) {}

  /// stat and exe, and where that is not known yet, cgroup and status. nullopt: it is gone.
  std::optional<ProcessListing> list(int pid);
  /// status, smaps_rollup, and where these are apart, status again. smaps_rollup holds the target's
  /// mmap_lock as long as its page tables are large: it isn't read of what has more of them.
  Screening screen(int pid, std::optional<std::uint64_t> most_page_table_bytes = std::nullopt);
  /// Of what is not there any more.
  void forget_all_but(const std::vector<int>& pids);

 private:
  /// The part of status that is asked for.
  struct Status {
    std::optional<std::uint32_t> uid;
    std::optional<std::uint64_t> rss_bytes;
    std::optional<std::uint64_t> page_table_bytes;
  };
  struct Known {
    FileIdentity directory;  ///< a pid alone comes again
    std::uint64_t start_time_ticks = 0;
    bool kernel_thread = false;
    std::string unit = {};
    std::string cgroup = {};
    unsigned lists_to_cgroup = 0;       ///< before it is read again
    std::optional<Status> status = {};  ///< read since it was listed last
  };

  Known* find(int pid, const std::optional<FileIdentity>& directory);
  Result<Status> read_status(const KernelFile& directory) const;
  Result<Ok> read_witnesses(const KernelFile& directory,
                            std::optional<std::uint64_t> most_page_table_bytes,
                            Screening& screening);
  void find_place(const KernelFile& directory, Known& known) const;

  KernelView& view_;
  std::map<int, Known> known_;
};

}  // namespace smaps_audit::service
