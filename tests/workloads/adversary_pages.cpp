// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <random>
#include <thread>
#include <vector>

#include "tests/workloads/adversary.h"
#include "tests/workloads/adversary_support.h"

namespace smaps_audit::workloads {
namespace {

constexpr std::chrono::milliseconds kWindowTime{250};
constexpr std::array<std::size_t, 4> kWindowPages{512, 2048, 8192, 16384};
constexpr std::size_t kBurstBytes = 16 * kMiB;  // so that a walk of it lasts
constexpr std::size_t kBurstFlippedBytes = 256 * kPageBytes;
constexpr unsigned kThreads = 8;
constexpr unsigned kManyThreads = 64;
constexpr std::size_t kFileBytes = 8 * kMiB;

/// Where a VMA of another protection is made and unmade: takes mmap_lock for writing, so it lasts
/// as long as a reader holds the lock (or the CPU).
class LockFeeler {
 public:
  /// A hold is what lasts `times_usual` times as long as taking the free lock.
  explicit LockFeeler(double times_usual)
      : times_usual_(times_usual),
        page_(map_guarded(2 * kPageBytes, Pages::base).first(kPageBytes)) {}

  /// True if somebody held the lock (or the CPU) just now and has let go of it.
  bool felt_a_hold() {
    const auto before = Run::Clock::now();
    protect(page_, writable_ ? PROT_READ : PROT_READ | PROT_WRITE);
    writable_ = !writable_;
    const double took_ns =
        std::chrono::duration<double, std::nano>(Run::Clock::now() - before).count();
    const bool held = usual_ns_ > 0 && took_ns > times_usual_ * usual_ns_;
    usual_ns_ += ((held ? 2 * usual_ns_ : took_ns) - usual_ns_) / 256;
    if (usual_ns_ <= 0) usual_ns_ = took_ns;
    return held;
  }

 private:
  double times_usual_;
  Memory page_;
  bool writable_ = true;
  double usual_ns_ = 0;
};

/// Present for one reader, gone for the next: P₀ sees the pages, S₁ does not, P₁ does. How many
/// holds one of its reads takes is the reader's secret, so several guesses take turns.
void flip_at_each_hold(const Run& run) {
  constexpr std::array<std::size_t, 4> kFlippedPages{1, 16, 64, 512};
  constexpr std::array<unsigned, 4> kHoldsOfOneRead{1, 2, 3, 7};
  const Memory memory = map_guarded(kWindowPages[0] * kPageBytes, Pages::base);
  touch_write(memory);
  LockFeeler feeler(4);
  run.announce({getpid()});
  bool present = true;
  for (std::size_t round = 0; !run.over(); ++round) {
    const Memory flipped = memory.first(kFlippedPages[round % kFlippedPages.size()] * kPageBytes);
    const unsigned holds_wanted = kHoldsOfOneRead[round / 4 % kHoldsOfOneRead.size()];
    unsigned holds = 0;
    const auto until = Run::Clock::now() + kWindowTime;
    while (Run::Clock::now() < until) {
      if (!feeler.felt_a_hold() || ++holds % holds_wanted != 0) continue;
      present = !present;
      if (present) {
        touch_write(flipped);
      } else {
        advise(flipped, MADV_DONTNEED);
      }
    }
    touch_write(memory);
    present = true;
  }
}

/// As above, for a reader that pauses between its reads: a burst of holds is one read, however
/// many holds it takes, and the pages turn in the pause behind it.
void flip_after_each_burst(const Run& run) {
  constexpr std::chrono::microseconds kPause{50};
  const Memory memory = map_guarded(kBurstBytes, Pages::base);
  touch_write(memory);
  LockFeeler feeler(8);
  run.announce({getpid()});
  bool present = true;
  bool in_burst = false;
  auto last_hold = Run::Clock::now();
  const Memory flipped = memory.first(kBurstFlippedBytes);
  while (!run.over()) {
    if (feeler.felt_a_hold()) {
      in_burst = true;
      last_hold = Run::Clock::now();
    } else if (in_burst && Run::Clock::now() - last_hold > kPause) {
      in_burst = false;
      present = !present;
      if (present) {
        touch_write(flipped);
      } else {
        advise(flipped, MADV_DONTNEED);
      }
    }
  }
}

void churn_in_threads(const Run& run, std::size_t bytes, unsigned count) {
  const Memory memory = map_guarded(bytes, Pages::base);
  touch_write(memory);
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < count; ++i) {
    threads.emplace_back([i, memory, &run] {
      std::minstd_rand random(i + 1);
      while (!run.over()) {
        const Memory pages = random_run(memory, random, 16);
        advise(pages, MADV_DONTNEED);
        touch_write(random_run(memory, random, 32));
      }
    });
  }
  run.announce({getpid()});
  for (std::thread& thread : threads) thread.join();
}

}  // namespace

void pulse(const Run& run, Memory memory) {
  std::minstd_rand random(1);
  std::vector<bool> gone(memory.size() / kPageBytes);
  for (std::size_t round = 0; !run.over(); ++round) {
    const std::size_t pages = kWindowPages[round / 2 % kWindowPages.size()];
    const Memory window = memory.first(pages * kPageBytes);
    // Every other window comes straight back, so that a page is gone for a moment only.
    const bool comes_back = round % 2 == 0;
    const auto until = Run::Clock::now() + kWindowTime;
    while (Run::Clock::now() < until) {
      const Memory flipped = random_run(window, random, 4);
      const auto first = static_cast<std::size_t>(flipped.data() - memory.data()) / kPageBytes;
      if (comes_back || !gone[first]) advise(flipped, MADV_DONTNEED);
      if (comes_back || gone[first]) touch_write(flipped);
      gone[first] = !comes_back && !gone[first];
    }
  }
}

void run_pulse(const Run& run) {
  const Memory memory = map_guarded(kPulseBytes, Pages::base);
  touch_write(memory);
  run.announce({getpid()});
  pulse(run, memory);
}

void run_phase_locked(const Run& run) { flip_at_each_hold(run); }

void run_phase_locked_bursts(const Run& run) { flip_after_each_burst(run); }

void run_phase_locked_same_cpu(const Run& run) {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET(0, &cpus);
  if (sched_setaffinity(0, sizeof cpus, &cpus) != 0) die("sched_setaffinity");
  flip_at_each_hold(run);
}

void run_threads_1m(const Run& run) { churn_in_threads(run, kMiB, kThreads); }

void run_threads_64m(const Run& run) { churn_in_threads(run, 64 * kMiB, kThreads); }

void run_threads_64(const Run& run) { churn_in_threads(run, 16 * kMiB, kManyThreads); }

void run_file_refault(const Run& run) {
  const int fd = make_file(kFileBytes);
  const Memory shared = map_file(fd, kFileBytes, MAP_SHARED);
  const Memory copied = map_file(fd, kFileBytes, MAP_PRIVATE);
  touch_write(shared);
  touch_read(copied);
  run.announce({getpid()});
  std::minstd_rand random(1);
  while (!run.over()) {
    const auto kept = static_cast<off_t>(random() % (kFileBytes / kPageBytes) * kPageBytes);
    if (ftruncate(fd, kept) != 0) die("ftruncate");
    if (ftruncate(fd, static_cast<off_t>(kFileBytes)) != 0) die("ftruncate");
    for (int i = 0; i < 64; ++i) {
      touch_read(random_run(copied, random, 16));
      touch_write(random_run(shared, random, 16));
      advise(random_run(copied, random, 64), MADV_DONTNEED);
    }
    touch_read(shared);
  }
}

void run_free_pageout(const Run& run) {
  const Memory anonymous = map_guarded(16 * kMiB, Pages::base);
  const int fd = make_file(kFileBytes);
  const Memory file = map_file(fd, kFileBytes, MAP_SHARED);
  touch_write(anonymous);
  touch_read(file);
  run.announce({getpid()});
  std::minstd_rand random(1);
  while (!run.over()) {
    for (int i = 0; i < 64; ++i) {
      advise(random_run(anonymous, random, 64), MADV_FREE);
      touch_write(random_run(anonymous, random, 64));
    }
    advise(random_run(anonymous, random, 256), MADV_PAGEOUT);
    advise(random_run(file, random, 256), MADV_PAGEOUT);
    touch_read(random_run(file, random, 512));
    touch_write(random_run(anonymous, random, 512));
  }
}

}  // namespace smaps_audit::workloads
