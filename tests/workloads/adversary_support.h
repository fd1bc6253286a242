// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/prctl.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <random>

#include "tests/workloads/memory.h"

/// What several adversaries are made of.
namespace smaps_audit::workloads {

// Younger than the headers of Debian 12.
inline constexpr int kMadvCollapse = 25;       // Linux 6.1
inline constexpr int kMadvGuardInstall = 102;  // Linux 6.13
inline constexpr int kMadvGuardRemove = 103;

using Random = std::minstd_rand;

/// A run of 1 … `most_pages` pages somewhere in `memory`.
Memory random_run(Memory memory, Random& random, std::size_t most_pages);

/// 0 … `longest`, mostly short: so that it fits readers of any pace.
void random_pause(Random& random, std::chrono::microseconds longest);

void die_with_parent();

/// A child that runs `body` and exits 0. It dies with its parent.
template <class Body>
pid_t in_child(Body body) {
  const pid_t pid = fork();
  if (pid < 0) die("fork");
  if (pid != 0) return pid;
  die_with_parent();
  body();
  _exit(0);
}

void wait_for(pid_t pid);

/// An unlinked file in $TMPDIR, or in /tmp.
int make_file(std::size_t bytes);
Memory map_file(int fd, std::size_t bytes, int flags);

/// memfd_create, of that size.
int make_memfd(const char* name, std::size_t bytes);

/// False (and errno) where the file cannot be opened or does not take the text.
bool write_text(const char* path, const char* text);

/// The whole of a small file; empty where it cannot be read.
std::string text_or_empty(const char* path);

}  // namespace smaps_audit::workloads
