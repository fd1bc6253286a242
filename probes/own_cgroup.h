// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "collect/kernel_view.h"
#include "probes/guardian.h"

namespace smaps_audit::probes {

/// A cgroup (v2) of its own below ours, for one child and whatever it forks. A guardian removes it
/// with all of them when this is destroyed, and when this process ends in whatever way.
class OwnCgroup {
 public:
  /// nullopt where we may not make one, or where no v2 hierarchy is mounted: then it is done
  /// without. `memory_bytes` is its bound if the memory controller is there.
  static std::optional<OwnCgroup> create(KernelView& view, std::uint64_t memory_bytes);
  [[nodiscard]] bool admit(pid_t pid) const;

 private:
  OwnCgroup(std::string path, Guardian guardian)
      : path_(std::move(path)), guardian_(std::move(guardian)) {}

  std::string path_;
  Guardian guardian_;
};

/// Writes all of `text` to a file that is there already (of procfs, sysfs or cgroupfs).
bool write_file(const std::string& path, const std::string& text);

/// Where the v2 hierarchy is mounted, from a text of /proc/self/mountinfo.
std::optional<std::string> cgroup2_mount(const std::string& mountinfo);
/// The path after "0::" in a text of /proc/self/cgroup.
std::optional<std::string> cgroup2_path(const std::string& cgroup);

}  // namespace smaps_audit::probes
