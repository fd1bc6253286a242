// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstddef>

/// The modes of odd-target. Each makes one odd process, says in one JSON line on stdout which
///   {"ready":true,"pid":…,"touched_bytes":…}
/// and keeps it as it is until stdin ends. `argument` is the mode's own, nullptr if none was given.
namespace smaps_audit::odd {

inline constexpr std::size_t kTouchedBytes = 4u << 20;

/// Touches that many bytes of private memory of 4 KiB pages, in a mapping of their own.
char* touch(std::size_t bytes);
void announce(pid_t pid, std::size_t touched_bytes);
/// Blocks in read(2) until stdin ends.
void hold();
/// True once stdin has ended; does not block.
bool told_to_end();
/// Reads bytes from hex digits; empty if they are none.
std::size_t from_hex(const char* digits, char* bytes, std::size_t room);

// odd_processes.cpp
int run_plain(const char* argument);
int run_zombie(const char* argument);
int run_dead_leader(const char* argument);
int run_traced(const char* argument);
int run_vfork_parent(const char* argument);
int run_shared_mm(const char* argument);
int run_exec_loop(const char* argument);
int run_pid_reuse(const char* argument);

// odd_memory.cpp
int run_comm(const char* argument);
int run_names(const char* argument);
int run_all_vmas(const char* argument);

}  // namespace smaps_audit::odd
