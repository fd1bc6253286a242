// SPDX-License-Identifier: Apache-2.0
#include "probes/child.h"

#include <fcntl.h>
#include <numaif.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "collect/guards.h"

namespace smaps_audit::probes {

void ProbeChild::tell(const ChildMessage& message) {
  const std::string line = to_line(message);
  std::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t written = ::write(tell_fd_, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) ::_exit(1);
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
}

void ProbeChild::end(Outcome outcome, const std::string& why) {
  tell(End{outcome, why});
  ::_exit(0);
}

void ProbeChild::done() {
  tell(End{});
  ::_exit(0);
}

void ProbeChild::declare(std::string_view name, Role role, Memory memory,
                         std::uint64_t resident_bytes) {
  const bool lie = sabotaged(Sabotage::lies) && role == Role::subject;
  const auto start = reinterpret_cast<std::uintptr_t>(memory.data());
  tell(RegionTruth{.name = std::string{name},
                   .role = role,
                   .range = {start, start + memory.size()},
                   .resident_bytes = lie ? resident_bytes / 2 : resident_bytes});
}

void ProbeChild::hold(std::string_view state) {
  while (sabotaged(Sabotage::stuck)) ::pause();
  tell(Hold{std::string{state}});
  if (sabotaged(Sabotage::dies)) ::raise(SIGKILL);
  char order = 0;
  ssize_t got = 0;
  do {
    got = ::read(order_fd_, &order, 1);
  } while (got < 0 && errno == EINTR);
  if (got != 1) ::_exit(1);
}

Balancing ProbeChild::balancing() {
  return {.pages_hinted = [this] { return read_vmstat(view_).numa_pte_updates.value_or(0); },
          .on =
              [this] {
                const auto text = read_file(view_, KernelRoot::proc, "sys/kernel/numa_balancing");
                return text && (text->starts_with("1") || text->starts_with("3"));
              }};
}

void ProbeChild::welcome_balancing() { ::set_mempolicy(MPOL_DEFAULT, nullptr, 0); }

void ProbeChild::shun_balancing(Memory memory) {
  ::mbind(memory.data(), memory.size(), MPOL_LOCAL, nullptr, 0, 0);
}

Memory ProbeChild::huge_memory(std::size_t bytes) {
  const Memory memory = map_guarded(bytes, Pages::huge);
  if (!fill_with_huge_pages(memory)) skip("no transparent huge pages to be had");
  return memory;
}

Memory ProbeChild::base_memory(std::size_t bytes) {
  const Memory memory = map_guarded(bytes, Pages::base);
  touch_write(memory);
  return memory;
}

std::vector<PagemapWord> ProbeChild::own_pagemap(Memory memory) const {
  const std::string path = setup_.proc_root + "/self/pagemap";
  const UniqueFd pagemap{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  std::vector<PagemapWord> words(memory.size() / kPageBytes);
  const std::size_t bytes = words.size() * sizeof words[0];
  const auto offset = static_cast<off_t>(reinterpret_cast<std::uintptr_t>(memory.data()) /
                                         kPageBytes * sizeof words[0]);
  if (!pagemap ||
      ::pread(pagemap.get(), words.data(), bytes, offset) != static_cast<ssize_t>(bytes)) {
    return {};
  }
  return words;
}

void ProbeChild::declare_positive(Memory memory, Pages pages) {
  const std::size_t unit = pages == Pages::huge ? kPmdBytes : kPageBytes;
  for (std::size_t at = 0; at < memory.size(); at += 2 * unit) {
    advise(memory.subspan(at, unit), MADV_DONTNEED);
  }
  declare("half-given-back", Role::positive, memory, memory.size() / 2);
}

void write_pattern(Memory memory, std::uint64_t seed) {
  for (std::size_t at = 0; at < memory.size(); at += kPageBytes, ++seed) {
    std::memcpy(&memory[at], &seed, sizeof seed);
  }
}

bool holds_pattern(Memory memory, std::uint64_t seed) {
  for (std::size_t at = 0; at < memory.size(); at += kPageBytes, ++seed) {
    std::uint64_t found = 0;
    std::memcpy(&found, &memory[at], sizeof found);
    if (found != seed) return false;
  }
  return true;
}

pid_t fork_companion(const std::function<void()>& work) {
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) die("fork");
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    work();
    ::_exit(0);
  }
  return pid;
}

bool wait_for_companion(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return false;
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace smaps_audit::probes
