// SPDX-License-Identifier: Apache-2.0
#include "cli/progress.h"

#include <ostream>

namespace smaps_audit {

Progress::Progress(std::ostream& err, bool enabled, std::size_t total)
    : err_(err),
      enabled_(enabled),
      total_(total),
      started_(std::chrono::steady_clock::now()),
      last_(started_) {}

Progress::~Progress() { clear(); }

void Progress::clear() {
  if (shown_) err_ << "\r\033[K" << std::flush;
  shown_ = false;
}

void Progress::update(std::size_t done, std::uint64_t findings, int pid) {
  constexpr auto kQuietTime = std::chrono::seconds(1);
  constexpr auto kPace = std::chrono::milliseconds(100);
  const auto now = std::chrono::steady_clock::now();
  if (!enabled_ || now - started_ < kQuietTime || (shown_ && now - last_ < kPace)) return;
  last_ = now;
  shown_ = true;
  err_ << "\r\033[K" << done << " of " << total_ << " processes, " << findings
       << " with a finding, at pid " << pid << std::flush;
}

}  // namespace smaps_audit
