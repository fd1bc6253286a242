// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "collect/kernel_view.h"

namespace smaps_audit {

enum class FactState : std::uint8_t {
  there,
  absent,      ///< there is none: the executable of a kernel thread, a unit outside of systemd
  unreadable,  ///< it could not be read, or made no sense
};

struct TextFact {
  FactState state = FactState::unreadable;
  std::string text = {};  ///< empty unless `there`
  bool operator==(const TextFact&) const = default;
};

/// Where a process belongs: cgroup and the units that it names.
struct CgroupFacts {
  TextFact path;
  TextFact unit;
  TextFact user_unit;
};

/// Who a process is, for rules and groups. Its command line and environment are never read: they
/// lie in its memory, and a read of them can block for ever.
struct ProcessFacts {
  TextFact comm;        ///< byte for byte: a process may call itself anything
  TextFact executable;  ///< without the " (deleted)" of a program that was replaced meanwhile
  CgroupFacts cgroup;
  std::optional<std::uint32_t> uid;  ///< real; nullopt: unreadable
};

/// Error `gone`: there is no such process, or it ended meanwhile.
Result<ProcessFacts> read_process_facts(KernelView& view, int pid);

/// Parts of it, of an open /proc/PID.
TextFact read_executable(KernelView& view, const KernelFile& directory);
CgroupFacts read_cgroup(KernelView& view, const KernelFile& directory);

}  // namespace smaps_audit
