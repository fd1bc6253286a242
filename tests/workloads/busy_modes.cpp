// SPDX-License-Identifier: Apache-2.0
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <random>
#include <thread>
#include <vector>

#include "tests/workloads/memory.h"
#include "tests/workloads/modes.h"
#include "tests/workloads/truth.h"

namespace smaps_audit::workloads {
namespace {

constexpr const char* kNoHugePages = "no transparent huge pages to be had";
constexpr std::size_t kContendedVmaBytes = 256 * 1024;
constexpr int kContenders = 3;
constexpr unsigned kMercilessThreads = 8;
constexpr std::size_t kChurnedBytes = 8 * kMiB;
constexpr int kLiuboRoundMs = 5000;

void map_and_unmap(const std::atomic<bool>& stop) {
  while (!stop.load(std::memory_order_relaxed)) {
    void* const page =
        mmap(nullptr, 4 * kPageBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) die("mmap");
    if (munmap(page, 4 * kPageBytes) != 0) die("munmap");
  }
}

/// Maps the range anew, in its place between its guards.
void map_again(Memory memory, Pages pages) {
  if (munmap(memory.data(), memory.size()) != 0) die("munmap");
  if (mmap(memory.data(), memory.size(), PROT_READ | PROT_WRITE,
           MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != memory.data()) {
    die("mmap in its old place");
  }
  advise(memory, pages == Pages::huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
}

/// Faults pages in and drops them again. Of four threads, two work on 4 KiB pages and two on huge
/// ones; of each pair, one drops by MADV_DONTNEED and one by munmap.
void fault_and_unmap(unsigned thread, Memory memory, const std::atomic<bool>& stop) {
  const Pages pages = (thread & 1U) == 0 ? Pages::base : Pages::huge;
  const bool unmaps = (thread & 2U) != 0;
  std::minstd_rand random(thread + 1);
  while (!stop.load(std::memory_order_relaxed)) {
    const std::size_t unit = pages == Pages::base ? 16 * kPageBytes : kPmdBytes;
    const std::size_t at = random() % (memory.size() / unit) * unit;
    touch_write(memory.subspan(at, unit));
    if (!unmaps) {
      advise(memory.subspan(at, unit), MADV_DONTNEED);
    } else if (random() % 8 == 0) {
      map_again(memory, pages);
    }
  }
}

}  // namespace

int run_rollup_contention(std::uint64_t vmas) {
  const Memory memory = map_guarded(vmas * kContendedVmaBytes, Pages::base);
  touch_write(memory);
  for (std::size_t at = kContendedVmaBytes; at < memory.size(); at += 2 * kContendedVmaBytes) {
    protect(memory.subspan(at, kContendedVmaBytes), PROT_READ);
  }
  std::atomic<bool> stop{false};
  std::vector<std::thread> contenders;
  for (int i = 0; i < kContenders; ++i) {
    contenders.emplace_back([&stop] { map_and_unmap(stop); });
  }
  const int status = declare_and_hold({.mode = "rollup-contention",
                                       .regions = {{memory, "rw-p", memory.size(), 0, vmas}},
                                       .why = "touched; three threads map and unmap"});
  stop.store(true);
  for (std::thread& contender : contenders) contender.join();
  return status;
}

int run_merciless(std::uint64_t mib) {
  const Memory memory = map_guarded(mib * kMiB, Pages::huge);
  const bool huge = fill_with_huge_pages(memory);
  protect(memory, PROT_NONE);
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < kMercilessThreads; ++i) {
    const Memory churned = map_guarded(kChurnedBytes, (i & 1U) == 0 ? Pages::base : Pages::huge);
    threads.emplace_back([i, churned, &stop] { fault_and_unmap(i, churned, stop); });
  }
  const int status =
      declare_and_hold({.mode = "merciless",
                        .regions = {{memory, "---p", memory.size(), memory.size()}},
                        .kernel_state_proven = huge,
                        .why = huge ? "each 2 MiB came by one fault" : kNoHugePages});
  stop.store(true);
  for (std::thread& thread : threads) thread.join();
  return status;
}

int run_liubo(std::uint64_t mib) {
  const Memory memory = map_guarded(mib * kMiB, Pages::huge);
  const bool huge = fill_with_huge_pages(memory);
  std::atomic<bool> stop{false};
  std::thread burner([&stop] {
    while (!stop.load(std::memory_order_relaxed)) {
    }
  });
  declare({.mode = "liubo",
           .regions = {{memory, "rw-p", memory.size(), std::nullopt}},
           .kernel_state_proven = huge,
           .why = huge ? "touched; what is hinted changes all the time" : kNoHugePages});
  const std::size_t blocks = memory.size() / kPmdBytes;
  const int pause_ms = kLiuboRoundMs / static_cast<int>(blocks);
  std::minstd_rand random(1);
  pollfd input{STDIN_FILENO, POLLIN, 0};
  while (huge && poll(&input, 1, pause_ms) == 0) {
    touch_write(memory.subspan(random() % blocks * kPmdBytes, kPageBytes));
  }
  stop.store(true);
  burner.join();
  return huge ? 0 : kExitCannotRun;
}

}  // namespace smaps_audit::workloads
