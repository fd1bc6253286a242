// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "audit/verdict.h"
#include "audit/vma_watch.h"
#include "base/interval.h"
#include "collect/host_memory.h"

namespace smaps_audit {

/// A counter of the host or of a cgroup, and what all processes together support, apart by more
/// than every bound in every round. Never a finding: it does not say who is wrong.
struct HostNote {
  std::string check;                            ///< "I13", "I14"
  std::string interface;                        ///< "meminfo", "memory.stat"
  std::string field;                            ///< "AnonPages"
  std::string cgroup;                           ///< empty: the whole host
  Direction direction = Direction::deficit;     ///< of the processes, measured by the counter
  Interval counter;                             ///< bytes
  std::uint64_t processes_low = 0;              ///< bytes
  std::optional<std::uint64_t> processes_high;  ///< bytes; nullopt: nothing bounds it
  std::uint64_t error_bytes = 0;
  std::uint64_t rounds = 0;
  std::uint64_t processes = 0;
  std::vector<std::string> defects;  ///< that may cause it
};

/// One reason why a correct kernel's counter differs from the sum over its processes
/// (docs/kernel.md §2), and by how many bytes.
struct HostBound {
  std::string_view id;
  std::uint64_t bytes = 0;
  std::string_view per;  ///< "cpu and node", "process" …
  std::string_view why;
};
std::span<const HostBound> host_bounds();

/// So many rounds must say the same, over at least this time: memory.stat may be 2 s old.
inline constexpr unsigned kHostRounds = 24;
inline constexpr Nanoseconds kHostSpan{std::chrono::seconds(3)};

/// I13 and I14 under a running series, as the series of a process: each process between the least
/// and the most that it ever said, the counter likewise; the first round that fits ends it.
class HostWatch {
 public:
  /// `cgroup`: I14 is asked of it, else I13 of the host. `nodes` nullopt: as many as a kernel may
  /// have.
  HostWatch(std::uint64_t cpus, std::optional<std::uint64_t> nodes, std::string cgroup);

  void on_round(const HostMemory& memory);
  /// Does anything contradict in all rounds so far?
  [[nodiscard]] bool alive() const { return rounds_ == 0 || !disputes().empty(); }
  [[nodiscard]] unsigned rounds() const { return rounds_; }
  /// None before kHostRounds rounds.
  [[nodiscard]] std::vector<HostNote> notes() const;

 private:
  struct Share {
    Extremes anon;
    Extremes shared;
    Extremes huge;
    bool member = false;
  };
  struct Sums {
    Interval all_anon;
    Interval member_anon;
    Interval all_shared;
    Interval all_huge;
  };

  [[nodiscard]] Sums sums() const;
  [[nodiscard]] std::vector<HostNote> disputes() const;
  void add_host(std::vector<HostNote>& notes, const Sums& sums) const;
  void add_cgroup(std::vector<HostNote>& notes, const Sums& sums) const;
  [[nodiscard]] std::uint64_t unowned(const Extremes& counter) const;

  std::uint64_t cpus_;
  std::uint64_t nodes_;
  std::string cgroup_;
  unsigned rounds_ = 0;
  bool device_memory_ = false;
  std::map<std::pair<int, std::uint64_t>, Share> shares_;
  Extremes anon_pages_;
  Extremes mapped_;
  Extremes anon_huge_;
  Extremes file_huge_;
  Extremes total_;
  Extremes cgroup_anon_;
};

}  // namespace smaps_audit
