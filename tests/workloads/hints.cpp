// SPDX-License-Identifier: Apache-2.0
#include "tests/workloads/hints.h"

#include <sys/sysinfo.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>

namespace smaps_audit::workloads {
namespace {

using std::chrono::steady_clock;
constexpr std::chrono::seconds kPatience{30};
constexpr std::chrono::milliseconds kPoll{20};
constexpr std::chrono::milliseconds kSettle{50};
constexpr int kQuietRoundsWanted = 3;
constexpr int kRoundsAtMost = 100;

/// A thread that burns CPU and touches nothing: the scanner runs on CPU time, and a second user of
/// the mm makes it hint pages of the own node as well.
class Spinner {
 public:
  Spinner()
      : thread_([this] {
          while (!stop_.load(std::memory_order_relaxed)) {
          }
        }) {}
  Spinner(const Spinner&) = delete;
  Spinner& operator=(const Spinner&) = delete;
  ~Spinner() {
    stop_.store(true);
    thread_.join();
  }

 private:
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

std::uint64_t updates_so_far(Pages pages) {
  const char* const key = pages == Pages::huge ? "numa_huge_pte_updates" : "numa_pte_updates";
  return number_in(read_text("/proc/vmstat"), key);
}

/// Exactly one fault on the first touch and none on the second: it was hinted (and is not any
/// more).
bool was_hinted(Memory page) {
  const std::int64_t before = minor_faults_of_thread();
  touch_read(page);
  const std::int64_t first = minor_faults_of_thread();
  touch_read(page);
  return first - before == 1 && minor_faults_of_thread() == first;
}

bool wait_for_updates(Pages pages, std::uint64_t wanted, steady_clock::time_point deadline) {
  const Spinner spinner;
  while (updates_so_far(pages) < wanted) {
    if (steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(kPoll);
  }
  return true;
}

std::string why_not(Pages pages, bool filled) {
  if (!filled) return "no transparent huge pages to be had";
  const std::string mode = read_text("/proc/sys/kernel/numa_balancing");
  if (mode.starts_with("0")) return "kernel.numa_balancing is 0";
  return pages == Pages::huge ? "not hinted within 30 s: no first and last PMD with one fault"
                              : "not hinted within 30 s: no first and last page with one fault";
}

}  // namespace

HintedMemory make_hinted(std::size_t bytes, Pages pages) {
  const std::uint64_t before = updates_so_far(pages);
  const Memory whole = map_guarded(bytes + 2 * kPmdBytes, pages);
  const Memory inner = whole.subspan(kPmdBytes, bytes);
  bool filled = true;
  if (pages == Pages::huge) {
    filled = fill_with_huge_pages(whole);
  } else {
    touch_write(whole);
  }
  if (!filled || read_text("/proc/sys/kernel/numa_balancing").starts_with("0")) {
    return {inner, false, why_not(pages, filled)};
  }
  const steady_clock::time_point deadline = steady_clock::now() + kPatience;
  const std::uint64_t units = whole.size() / (pages == Pages::huge ? kPmdBytes : kPageBytes);
  std::uint64_t wanted = before + units;
  while (wait_for_updates(pages, wanted, deadline)) {
    const bool first = was_hinted(whole.first(kPageBytes));
    const bool last = was_hinted(whole.last(kPageBytes));
    if (first && last) {
      turn_into_guard(whole.first(kPmdBytes));
      turn_into_guard(whole.last(kPmdBytes));
      return {inner, true, "sentinels at both ends took one minor fault each"};
    }
    // The count was another process's: wait for more of them.
    wanted = updates_so_far(pages) + 1;
  }
  return {inner, false, why_not(pages, filled)};
}

std::uint64_t touch_back(Memory memory, std::size_t stride, std::uint64_t blocks) {
  int quiet_rounds = 0;
  for (int round = 0; round < kRoundsAtMost; ++round) {
    const std::int64_t before = minor_faults_of_thread();
    std::uint64_t touched = 0;
    for (std::size_t at = 0; at < memory.size() && touched < blocks; at += stride * kPmdBytes) {
      touch_read(memory.subspan(at, kPageBytes));
      ++touched;
    }
    quiet_rounds = minor_faults_of_thread() == before ? quiet_rounds + 1 : 0;
    if (quiet_rounds == kQuietRoundsWanted) return touched;
    std::this_thread::sleep_for(kSettle);
  }
  return 0;
}

}  // namespace smaps_audit::workloads
