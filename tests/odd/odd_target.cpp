// SPDX-License-Identifier: Apache-2.0
//
// odd-target MODE [ARGUMENT]: a process that is odd in one way (odd_modes.h).
// 0: told to end · 64: usage · 70: a system call failed · 77: this kernel or user can't have it.

#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <string_view>

#include "tests/odd/odd_modes.h"
#include "tests/workloads/memory.h"

namespace smaps_audit::odd {

char* touch(std::size_t bytes) {
  void* const at =
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) workloads::die("mmap");
  ::madvise(at, bytes, MADV_NOHUGEPAGE);
  char* const memory = static_cast<char*>(at);
  for (std::size_t i = 0; i < bytes; i += workloads::kPageBytes) memory[i] = 1;
  return memory;
}

void announce(pid_t pid, std::size_t touched_bytes) {
  std::printf("{\"ready\":true,\"pid\":%d,\"touched_bytes\":%zu}\n", pid, touched_bytes);
  std::fflush(stdout);
}

void hold() {
  std::array<char, 64> nothing;
  while (::read(STDIN_FILENO, nothing.data(), nothing.size()) > 0) continue;
}

bool told_to_end() {
  pollfd end{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  return ::poll(&end, 1, 0) > 0;
}

namespace {

struct Mode {
  std::string_view name;
  int (*run)(const char* argument);
};

constexpr std::array kModes{
    Mode{"plain", run_plain},
    Mode{"zombie", run_zombie},
    Mode{"dead-leader", run_dead_leader},
    Mode{"traced", run_traced},
    Mode{"vfork-parent", run_vfork_parent},
    Mode{"shared-mm", run_shared_mm},
    Mode{"exec-loop", run_exec_loop},
    Mode{"pid-reuse", run_pid_reuse},
    Mode{"comm", run_comm},
    Mode{"names", run_names},
    Mode{"all-vmas", run_all_vmas},
};

}  // namespace
}  // namespace smaps_audit::odd

int main(int argc, char** argv) {
  using smaps_audit::odd::kModes;
  for (const auto& mode : kModes) {
    if (argc >= 2 && mode.name == argv[1]) return mode.run(argc > 2 ? argv[2] : nullptr);
  }
  std::fputs("usage: odd-target MODE [ARGUMENT]\n", stderr);
  for (const auto& mode : kModes) std::fprintf(stderr, "  %s\n", mode.name.data());
  return smaps_audit::workloads::kExitUsage;
}
