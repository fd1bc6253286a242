// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "base/unique_fd.h"

namespace smaps_audit::probes {

/// A companion of the probe's child that attaches to it and reads or writes its memory, forked
/// before the memory in question is made so that it shares none of it. The child must be waiting in
/// here meanwhile, which it is.
class PtraceHelper {
 public:
  enum class Way : std::uint8_t { peek, poke, mem_read, mem_write };

  /// `proc_root`: for /proc/PID/mem.
  explicit PtraceHelper(const std::string& proc_root);
  PtraceHelper(const PtraceHelper&) = delete;
  PtraceHelper& operator=(const PtraceHelper&) = delete;
  ~PtraceHelper();

  struct Answer {
    int errno_value = 0;  ///< 0: it worked
    std::uint64_t word = 0;
  };
  /// One word of this process at `address`, attached: read, or `word` written. nullopt: the helper
  /// could not attach, or has gone.
  std::optional<Answer> ask(Way way, const void* address, std::uint64_t word = 0);

 private:
  struct Order {
    Way way = Way::peek;
    std::uint64_t address = 0;
    std::uint64_t word = 0;
  };
  struct Reply {
    bool attached = false;
    Answer answer;
  };
  static Reply serve(const Order& order, pid_t target, const std::string& proc_root);

  pid_t pid_ = -1;
  UniqueFd orders_;
  UniqueFd replies_;
};

}  // namespace smaps_audit::probes
