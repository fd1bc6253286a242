// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"
#include "collect/kernel_view.h"
#include "parsers/pagemap.h"
#include "probes/child_message.h"
#include "probes/known_memory.h"
#include "probes/numa_hints.h"

namespace smaps_audit::probes {

/// Switches for tests: what goes wrong in the child (`--sabotage NAME`).
enum class Sabotage : std::uint8_t {
  none,
  balancing_off,  ///< turns balancing off while the hints are awaited
  touch_hint,     ///< touches half of what is hinted before it is measured
  migrate,        ///< moves a page to another node before it is measured
  stuck,          ///< never answers
  lies,           ///< declares half of what it touched
  dies,           ///< is killed while it is measured
};

struct ProbeSetup {
  std::string proc_root;   ///< of this machine, for what has to be written
  bool balancing = false;  ///< kernel.numa_balancing is on for this run
  bool merging = false;    ///< KSM runs for this run
  Sabotage sabotage = Sabotage::none;
};

/// What a probe's workload may do to tell its parent. Lives in the child only; whatever goes wrong
/// with the pipe ends the child.
class ProbeChild {
 public:
  ProbeChild(KernelView& view, const ProbeSetup& setup, int tell_fd, int order_fd)
      : view_(view), setup_(setup), tell_fd_(tell_fd), order_fd_(order_fd) {}

  /// A name and a state are one word each.
  void declare(std::string_view name, Role role, Memory memory, std::uint64_t resident_bytes);
  void forget_regions() { tell(ForgetRegions{}); }
  void fact(std::string_view name, std::int64_t value) { tell(Fact{std::string{name}, value}); }
  /// Stays as it is until the parent has looked.
  void hold(std::string_view state);
  [[noreturn]] void skip(const std::string& why) { end(Outcome::skipped, why); }
  [[noreturn]] void unproven(const std::string& why) { end(Outcome::inconclusive, why); }
  [[noreturn]] void done();

  [[nodiscard]] KernelView& view() { return view_; }
  [[nodiscard]] const ProbeSetup& setup() const { return setup_; }
  [[nodiscard]] bool sabotaged(Sabotage by) const { return setup_.sabotage == by; }

  /// numa_pte_updates and the switch, read through the view.
  [[nodiscard]] Balancing balancing();
  /// From here on NUMA balancing may hint memory of this process that has no policy of its own; a
  /// probe's child begins by keeping it away.
  static void welcome_balancing();
  /// Keeps it away from this memory in any case: for controls.
  static void shun_balancing(Memory memory);

  /// Huge pages that were written, or ends the child as skipped.
  Memory huge_memory(std::size_t bytes);
  /// 4 KiB pages that were written.
  static Memory base_memory(std::size_t bytes);
  /// What its own pagemap says of each page; empty if that cannot be read.
  [[nodiscard]] std::vector<PagemapWord> own_pagemap(Memory memory) const;
  /// Gives every other 2 MiB (or page) back and declares what is left: the positive control.
  void declare_positive(Memory memory, Pages pages);

 private:
  void tell(const ChildMessage& message);
  [[noreturn]] void end(Outcome outcome, const std::string& why);

  KernelView& view_;
  const ProbeSetup& setup_;
  int tell_fd_;
  int order_fd_;
};

/// Each page holds its own number from `seed` on, so that any mix-up of pages shows.
void write_pattern(Memory memory, std::uint64_t seed);
[[nodiscard]] bool holds_pattern(Memory memory, std::uint64_t seed);

/// A process that the child forks, killed with it. Ends when `work` returns.
pid_t fork_companion(const std::function<void()>& work);
/// True if it exited with 0.
bool wait_for_companion(pid_t pid);

}  // namespace smaps_audit::probes
