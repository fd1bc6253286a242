// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <iosfwd>

namespace smaps_audit {

/// One line on a terminal that says how far the work is, once it lasts over a second.
class Progress {
 public:
  Progress(std::ostream& err, bool enabled, std::size_t total);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  Progress(Progress&&) = delete;
  Progress& operator=(Progress&&) = delete;
  ~Progress();  ///< wipes the line

  void update(std::size_t done, std::uint64_t findings, int pid);
  /// Wipes the line, so that something else can be printed.
  void clear();

 private:
  std::ostream& err_;
  bool enabled_;
  bool shown_ = false;
  std::size_t total_;
  std::chrono::steady_clock::time_point started_;
  std::chrono::steady_clock::time_point last_;
};

}  // namespace smaps_audit
