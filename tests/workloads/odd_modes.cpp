// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <functional>
#include <thread>
#include <vector>

#include "tests/workloads/hints.h"
#include "tests/workloads/memory.h"
#include "tests/workloads/modes.h"
#include "tests/workloads/truth.h"

namespace smaps_audit::workloads {
namespace {

constexpr const char* kNoHugePages = "no transparent huge pages to be had";
constexpr off_t kBiosRom = 0xC0000;  // of every PC: below 1 MiB, so that /dev/mem lets it be mapped
constexpr std::uint64_t kPagesOfRom = 64;
constexpr std::size_t kPagesPerFaulter = 60;  // fewer than a thread may keep to itself

/// A child that has our memory, does `prepare`, and then stays until we are gone.
void fork_sharer(const std::function<void()>& prepare) {
  std::array<int, 2> ready{};
  if (pipe(ready.data()) != 0) die("pipe");
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) die("fork");
  if (pid == 0) {
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent) _exit(kExitInternal);
    prepare();
    const char done = 'd';
    if (write(ready[1], &done, 1) != 1) _exit(kExitInternal);
    for (;;) pause();
  }
  close(ready[1]);
  char done = 0;
  if (read(ready[0], &done, 1) != 1) die("the child");
  close(ready[0]);
}

Memory map_shared_over(Memory memory) {
  void* const at = mmap(memory.data(), memory.size(), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  if (at == MAP_FAILED) die("mmap of shared memory");
  advise(memory, MADV_HUGEPAGE);
  return memory;
}

/// A thread's cached counters reach those of the process when it unmaps something.
void settle_counters() {
  touch_write(map_guarded(kPageBytes, Pages::base));
  const Memory page = map_guarded(kPageBytes, Pages::base);
  touch_write(page);
  turn_into_guard(page);
}

extern "C" void survive(int /*signal*/) {}

}  // namespace

int run_hinted_thp_shared(std::uint64_t mib) {
  const HintedMemory hinted = make_hinted(mib * kMiB, Pages::huge);
  if (hinted.proven) fork_sharer([] {});
  return declare_and_hold({.mode = "hinted-thp-shared",
                           .regions = {{.memory = hinted.memory,
                                        .touched_bytes = hinted.memory.size(),
                                        .expected_deficit_bytes = hinted.memory.size(),
                                        .pss_bytes = hinted.memory.size() / 2}},
                           .kernel_state_proven = hinted.proven,
                           .why = hinted.why});
}

int run_protnone_shmem(std::uint64_t mib) {
  const Memory memory = map_shared_over(map_guarded(mib * kMiB, Pages::huge));
  const bool huge = fill_with_huge_pages(memory);
  protect(memory, PROT_NONE);
  return declare_and_hold({.mode = "protnone-shmem",
                           .regions = {{.memory = memory,
                                        .permissions = "---s",
                                        .touched_bytes = memory.size(),
                                        .expected_deficit_bytes = memory.size(),
                                        .huge_field = "ShmemPmdMapped"}},
                           .kernel_state_proven = huge,
                           .why = huge ? "each 2 MiB came by one fault" : kNoHugePages});
}

int run_partly_shared_thp(std::uint64_t mib) {
  const Memory memory = map_guarded(mib * kMiB, Pages::huge);
  const bool huge = fill_with_huge_pages(memory);
  fork_sharer([memory] {
    for (std::size_t at = 0; at < memory.size(); at += kPmdBytes) {
      advise(memory.subspan(at, kPmdBytes / 2), MADV_DONTNEED);
    }
  });
  return declare_and_hold({.mode = "partly-shared-thp",
                           .regions = {{.memory = memory,
                                        .touched_bytes = memory.size(),
                                        .pss_bytes = memory.size() / 4 * 3}},
                           .kernel_state_proven = huge,
                           .why = huge ? "a child maps the upper half of each" : kNoHugePages});
}

int run_device_copy(std::uint64_t pages) {
  const int fd = open("/dev/mem", O_RDONLY | O_CLOEXEC);
  const std::size_t bytes = std::min(pages, kPagesOfRom) * kPageBytes;
  void* const at =
      fd < 0 ? MAP_FAILED : mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, kBiosRom);
  if (at == MAP_FAILED) {
    return declare_and_hold({.mode = "device-copy",
                             .kernel_state_proven = false,
                             .why = "/dev/mem cannot be mapped here"});
  }
  const Memory memory{static_cast<std::byte*>(at), bytes};
  const std::int64_t before = minor_faults_of_thread();
  touch_write(memory);
  const bool copied =
      minor_faults_of_thread() - before >= static_cast<std::int64_t>(bytes / kPageBytes);
  settle_counters();
  return declare_and_hold(
      {.mode = "device-copy",
       .regions = {{.memory = memory, .device_copy_bytes = memory.size()}},
       .kernel_state_proven = copied,
       .why = copied ? "each page took a fault to be written to" : "it was not copied"});
}

int run_poisoned(std::uint64_t pages) {
  const Memory memory = map_guarded(pages * kPageBytes, Pages::base);
  touch_write(memory);
  if (signal(SIGBUS, survive) == SIG_ERR) die("signal");
  std::uint64_t poisoned = 0;
  for (std::size_t at = 0; at < memory.size(); at += 2 * kPageBytes) {
    poisoned += madvise(&memory[at], kPageBytes, MADV_HWPOISON) == 0 ? kPageBytes : 0;
  }
  const bool all = poisoned * 2 == memory.size();
  return declare_and_hold({.mode = "poisoned",
                           .regions = {{.memory = memory,
                                        .touched_bytes = memory.size() - poisoned,
                                        .poisoned_bytes = poisoned}},
                           .kernel_state_proven = all,
                           .why = all ? "MADV_HWPOISON" : "this kernel poisons no page for us"});
}

int run_many_faulters(std::uint64_t threads) {
  const Memory memory = map_guarded(threads * kPagesPerFaulter * kPageBytes, Pages::base);
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> ready{0};
  std::vector<std::thread> faulters;
  for (std::uint64_t i = 0; i < threads; ++i) {
    faulters.emplace_back([&, i] {
      const std::size_t own = kPagesPerFaulter * kPageBytes;
      touch_write(memory.subspan(i * own, own));
      ready.fetch_add(1);
      ready.notify_all();
      stop.wait(false);
    });
  }
  for (std::uint64_t seen = ready.load(); seen < threads; seen = ready.load()) ready.wait(seen);
  const int status =
      declare_and_hold({.mode = "many-faulters",
                        .regions = {{.memory = memory, .touched_bytes = memory.size()}},
                        .why = "touched"});
  stop.store(true);
  stop.notify_all();
  for (std::thread& faulter : faulters) faulter.join();
  return status;
}

}  // namespace smaps_audit::workloads
