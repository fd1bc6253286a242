// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace smaps_audit::bench {

/// A program that keeps still until it is destroyed: tests/workloads/workload, which holds until
/// its stdin is closed, or anything that reads its stdin (cat). Killed with us.
class HeldChild {
 public:
  /// `says_ready`: waits for the line that a workload prints once its memory is made.
  static Result<HeldChild> start(const std::vector<std::string>& command, bool says_ready);
  HeldChild(HeldChild&& other) noexcept;
  HeldChild& operator=(HeldChild&&) = delete;
  HeldChild(const HeldChild&) = delete;
  HeldChild& operator=(const HeldChild&) = delete;
  ~HeldChild();

  [[nodiscard]] int pid() const { return pid_; }

 private:
  HeldChild(pid_t pid, UniqueFd held) : pid_(pid), stdin_(std::move(held)) {}

  pid_t pid_;
  UniqueFd stdin_;
};

/// Runs a program with its output thrown away and gives its peak resident memory. What this process
/// itself has resident at the fork counts as well, so call it before anything large is made.
Result<std::uint64_t> peak_rss_bytes(const std::vector<std::string>& command);

}  // namespace smaps_audit::bench
