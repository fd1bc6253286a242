// SPDX-License-Identifier: Apache-2.0
#include <linux/mempolicy.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

#include "tests/workloads/adversary.h"
#include "tests/workloads/adversary_support.h"

namespace smaps_audit::workloads {
namespace {

constexpr std::size_t kWrittenBytes = 16 * kMiB;
constexpr std::size_t kPagedOutBytes = 16 * kMiB;
constexpr std::size_t kCollapsedBytes = 16 * kMiB;
constexpr std::size_t kMigratedBytes = 16 * kMiB;
constexpr std::chrono::milliseconds kLongestRest{30};

/// What the parent is worked on by: a child, which outlives nothing.
void sleep_while(pid_t child) { wait_for(child); }

/// Reads one byte of each page of another process: the kernel faults in what is not there, and
/// counts the fault to the reader.
void read_remotely(pid_t pid, Memory memory) {
  constexpr std::size_t kPagesAtOnce = 512;
  std::array<std::byte, kPagesAtOnce> bytes{};
  std::array<iovec, kPagesAtOnce> there{};
  for (std::size_t at = 0; at < memory.size(); at += kPagesAtOnce * kPageBytes) {
    const std::size_t pages = std::min(kPagesAtOnce, (memory.size() - at) / kPageBytes);
    for (std::size_t i = 0; i < pages; ++i) there[i] = {&memory[at + i * kPageBytes], 1};
    const iovec here{bytes.data(), pages};
    if (process_vm_readv(pid, &here, 1, there.data(), pages, 0) < 0 && errno != EFAULT) {
      die("process_vm_readv");
    }
  }
}

void write_remotely(pid_t pid, Memory pages) {
  static const std::vector<std::byte> source(kWrittenBytes, std::byte{3});
  const iovec here{const_cast<std::byte*>(source.data()), pages.size()};
  const iovec there{pages.data(), pages.size()};
  if (process_vm_writev(pid, &here, 1, &there, 1, 0) < 0 && errno != EFAULT) {
    die("process_vm_writev");
  }
}

int pidfd_of(pid_t pid) {
  const int fd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  if (fd < 0) die("pidfd_open");
  return fd;
}

/// False (and errno) where the kernel does not take this advice of another process.
bool advise_other(int pidfd, Memory memory, int advice) {
  const iovec range{memory.data(), memory.size()};
  return syscall(SYS_process_madvise, pidfd, &range, 1UL, advice, 0) >= 0;
}

void need_advice(const Run& run, Memory memory, int advice, const char* name) {
  const int self = pidfd_of(getpid());
  // What is there may not suit the advice; only a kernel that does not know it is a reason.
  if (!advise_other(self, memory.first(kPageBytes), advice) &&
      (errno == EINVAL || errno == ENOSYS || errno == EPERM) && advice != kMadvCollapse) {
    run.skip(name, errno);
  }
  close(self);
}

void be_traced(const Run& run, pid_t target, Memory memory) {
  Random random(1);
  while (!run.over()) {
    // Somebody else (`check --freeze`) may be the tracer just now.
    if (ptrace(PTRACE_ATTACH, target, nullptr, nullptr) != 0) {
      random_pause(random, kLongestRest);
      continue;
    }
    int status = 0;
    if (waitpid(target, &status, __WALL) != target || !WIFSTOPPED(status)) return;
    for (unsigned i = random() % 64; i > 0; --i) {
      std::byte* const at = random_run(memory, random, 1).data();
      if (random() % 2 == 0) {
        ptrace(PTRACE_POKEDATA, target, at, 1L);
      } else {
        ptrace(PTRACE_PEEKDATA, target, at, nullptr);
      }
    }
    if (random() % 16 == 0) random_pause(random, kLongestRest);
    ptrace(PTRACE_DETACH, target, nullptr, nullptr);
    random_pause(random, kLongestRest);
  }
}

unsigned memory_nodes() {
  const std::string text = text_or_empty("/sys/devices/system/node/has_memory");
  return text.find_first_of("-,") == std::string::npos ? 1 : 2;
}

/// All pages of `memory` to one node, as numactl's migspeed does it.
void migrate_to(pid_t pid, Memory memory, int node) {
  const std::size_t pages = memory.size() / kPageBytes;
  std::vector<void*> addresses(pages);
  for (std::size_t i = 0; i < pages; ++i) addresses[i] = &memory[i * kPageBytes];
  const std::vector<int> nodes(pages, node);
  std::vector<int> status(pages);
  if (syscall(SYS_move_pages, pid, pages, addresses.data(), nodes.data(), status.data(),
              MPOL_MF_MOVE) < 0) {
    die("move_pages");
  }
}

struct Migrated {
  Memory base;
  Memory huge;
};

Migrated make_migrated(const Run& run) {
  if (memory_nodes() < 2) run.skip("one NUMA node only");
  const Migrated memory{map_guarded(kMigratedBytes, Pages::base),
                        map_guarded(kMigratedBytes, Pages::huge)};
  return memory;
}

void storm(const Run& run, pid_t target, const Migrated& memory) {
  Random random(1);
  for (int node = 0; !run.over(); node = 1 - node) {
    migrate_to(target, memory.base, node);
    migrate_to(target, memory.huge, node);
    migrate_to(target, random_run(memory.base, random, 64), 1 - node);
    if (random() % 8 != 0) continue;
    const unsigned long from = 1UL << static_cast<unsigned>(node);
    const unsigned long to = 1UL << static_cast<unsigned>(1 - node);
    if (syscall(SYS_migrate_pages, target, 8 * sizeof from, &from, &to) < 0) die("migrate_pages");
  }
}

}  // namespace

void run_process_vm_writev(const Run& run) {
  const Memory memory = map_guarded(kWrittenBytes, Pages::base);
  touch_write(memory);
  const pid_t target = getpid();
  in_child([&] {
    Random random(1);
    while (!run.over()) write_remotely(target, random_run(memory, random, 512));
  });
  run.announce({target});
  Random random(2);
  while (!run.over()) {
    // Nothing is touched here: what comes back comes from outside, and without a fault of ours.
    for (int i = 0; i < 32; ++i) advise(random_run(memory, random, 256), MADV_DONTNEED);
    if (random() % 4 == 0) random_pause(random, kLongestRest);
  }
}

void run_process_madvise(const Run& run) {
  const Memory anonymous = map_guarded(kPagedOutBytes, Pages::base);
  touch_write(anonymous);
  need_advice(run, anonymous, MADV_PAGEOUT, "process_madvise(MADV_PAGEOUT)");
  const int fd = make_file(kPagedOutBytes);
  const Memory file = map_file(fd, kPagedOutBytes, MAP_SHARED);
  touch_write(file);
  if (fsync(fd) != 0) die("fsync");
  const pid_t target = getpid();
  const pid_t child = in_child([&] {
    const int other = pidfd_of(target);
    Random random(1);
    for (unsigned round = 0; !run.over(); ++round) {
      const Memory out = round % 4 != 0 ? file : random_run(file, random, 512);
      advise_other(other, out, MADV_PAGEOUT);
      if (round % 16 == 0) advise_other(other, anonymous, MADV_PAGEOUT);
      random_pause(random, kLongestRest);
      read_remotely(target, out);
      if (round % 16 == 0) read_remotely(target, anonymous);
      random_pause(random, kLongestRest);
      if (round % 16 == 0) advise_other(other, anonymous, MADV_COLD);
    }
  });
  run.announce({target});
  sleep_while(child);
}

void run_process_collapse(const Run& run) {
  const Memory memory = map_guarded(kCollapsedBytes, Pages::huge);
  touch_write(memory);
  const int self = pidfd_of(getpid());
  if (!advise_other(self, memory, kMadvCollapse)) run.skip("process_madvise(MADV_COLLAPSE)", errno);
  close(self);
  const pid_t target = getpid();
  in_child([&] {
    const int other = pidfd_of(target);
    Random random(1);
    while (!run.over()) {
      const std::size_t block = random() % (kCollapsedBytes / kPmdBytes) * kPmdBytes;
      advise_other(other, memory.subspan(block, kPmdBytes), kMadvCollapse);
    }
  });
  run.announce({target});
  Random random(2);
  while (!run.over()) {
    for (int i = 0; i < 16; ++i) advise(random_run(memory, random, 128), MADV_DONTNEED);
    random_pause(random, kLongestRest);
    touch_write(random_run(memory, random, 1024));
  }
}

void run_ptrace(const Run& run) {
  const Memory memory = map_guarded(kWrittenBytes, Pages::base);
  touch_write(memory);
  const pid_t target = getpid();
  // The tracer may be this process's child where Yama lets any privileged process be one.
  in_child([&] { be_traced(run, target, memory); });
  run.announce({target});
  Random random(2);
  while (!run.over()) {
    for (int i = 0; i < 64; ++i) {
      advise(random_run(memory, random, 64), MADV_DONTNEED);
      touch_write(random_run(memory, random, 32));
    }
    if (random() % 4 == 0) random_pause(random, kLongestRest);
  }
}

void run_migrate_asleep(const Run& run) {
  const Migrated memory = make_migrated(run);
  touch_write(memory.base);
  touch_write(memory.huge);
  const pid_t target = getpid();
  const pid_t child = in_child([&] { storm(run, target, memory); });
  // What the fork shares cannot be moved by MPOL_MF_MOVE until it is ours alone again.
  touch_write(memory.base);
  touch_write(memory.huge);
  run.announce({target});
  sleep_while(child);
}

void run_migrate_busy(const Run& run) {
  const Migrated memory = make_migrated(run);
  const pid_t target = getpid();
  in_child([&] { storm(run, target, memory); });
  touch_write(memory.base);
  touch_write(memory.huge);
  run.announce({target});
  Random random(2);
  while (!run.over()) {
    for (const Memory pages : {memory.base, memory.huge}) {
      const unsigned long node = 1UL << (random() % 2);
      if (syscall(SYS_mbind, pages.data(), pages.size(), MPOL_BIND, &node, 8 * sizeof node,
                  MPOL_MF_MOVE) != 0 &&
          errno != EIO) {
        die("mbind");
      }
      advise(random_run(pages, random, 64), MADV_DONTNEED);
      touch_write(random_run(pages, random, 1024));
    }
  }
}

}  // namespace smaps_audit::workloads
