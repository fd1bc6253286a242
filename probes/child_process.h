// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "collect/kernel_view.h"
#include "probes/child.h"
#include "probes/own_cgroup.h"
#include "probes/probe.h"

namespace smaps_audit::probes {

/// What a child may use (docs/probes.md): private writable address space, thread stacks included,
/// and where it has a memory cgroup all that is charged to it. Workloads touch 64 MiB at most.
inline constexpr std::uint64_t kChildMemoryBytes = std::uint64_t{128} << 20;
inline constexpr unsigned kChildCpuSeconds = 30;

/// The process that runs a probe's workload: forked, bounded in CPU time and memory, first in line
/// for the OOM killer, in a cgroup of its own where it can have one, dead with its parent. The
/// destructor kills it and all that it forked, and waits.
class ChildProcess {
 public:
  /// Error `io`: no process could be made.
  static Result<ChildProcess> spawn(KernelView& view, const Probe& probe, const ProbeSetup& setup);
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&&) = delete;
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ~ChildProcess() { end(); }

  [[nodiscard]] pid_t pid() const { return pid_; }

  /// The next line that it wrote. Errors: `deadline`; `gone` (it ended, and how: in words),
  /// `malformed`; `usage` if `stopped` says that we were asked to stop.
  Result<ChildMessage> next(std::chrono::steady_clock::time_point deadline,
                            const std::function<bool()>& stopped);
  /// Ends its hold().
  void go_on() const;

  struct Cost {
    std::chrono::nanoseconds cpu{};
    std::uint64_t peak_rss_bytes = 0;
  };
  /// Kills it if it still runs; what it used in all. Later calls give the same.
  Cost end();

 private:
  ChildProcess() = default;
  [[nodiscard]] std::string how_it_ended();

  pid_t pid_ = -1;
  UniqueFd pidfd_;
  UniqueFd messages_;
  UniqueFd orders_;
  UniqueFd stderr_;
  std::string unread_;
  std::optional<int> status_;
  Cost cost_;
  std::optional<OwnCgroup> cgroup_;
};

}  // namespace smaps_audit::probes
