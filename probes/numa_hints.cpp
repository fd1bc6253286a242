// SPDX-License-Identifier: Apache-2.0
#include "probes/numa_hints.h"

#include <array>
#include <chrono>
#include <future>
#include <thread>

namespace smaps_audit::probes {
namespace {

using std::chrono::steady_clock;
constexpr std::chrono::milliseconds kPoll{20};
constexpr std::chrono::milliseconds kSettle{50};
constexpr int kQuietRoundsWanted = 3;
constexpr int kRoundsAtMost = 100;

/// A second user of the mm, which does nothing.
class Bystander {
 public:
  Bystander() : thread_([this] { done_.get_future().wait(); }) {}
  Bystander(const Bystander&) = delete;
  Bystander& operator=(const Bystander&) = delete;
  ~Bystander() {
    done_.set_value();
    thread_.join();
  }

 private:
  std::promise<void> done_;
  std::thread thread_;
};

/// Takes the hints of the first and the last page to prove them, and makes guards of both ends.
bool seal_if_hinted(Memory whole) {
  const bool first = was_hinted(whole.first(kPageBytes));
  const bool last = was_hinted(whole.last(kPageBytes));
  if (!first || !last) return false;
  turn_into_guard(whole.first(kPmdBytes));
  turn_into_guard(whole.last(kPmdBytes));
  return true;
}

}  // namespace

bool burn_until(const std::function<bool()>& enough, std::chrono::milliseconds patience) {
  const steady_clock::time_point deadline = steady_clock::now() + patience;
  const Bystander bystander;
  while (!enough()) {
    const steady_clock::time_point now = steady_clock::now();
    if (now > deadline) return false;
    while (steady_clock::now() < now + kPoll) {
    }
  }
  return true;
}

std::int64_t faults_of_touching(Memory memory, std::size_t step) {
  const std::int64_t before = minor_faults_of_thread();
  for (std::size_t at = 0; at < memory.size(); at += step) {
    touch_read(memory.subspan(at, 1));
  }
  return minor_faults_of_thread() - before;
}

bool was_hinted(Memory page) {
  const std::int64_t first = faults_of_touching(page, kPageBytes);
  return first == 1 && faults_of_touching(page, kPageBytes) == 0;
}

std::vector<HintedMemory> await_hints(const Balancing& balancing, std::span<const Memory> wholes,
                                      std::chrono::milliseconds patience) {
  const steady_clock::time_point deadline = steady_clock::now() + patience;
  std::vector<HintedMemory> regions;
  // A huge page counts as 512 (docs/kernel.md §1.3).
  std::uint64_t wanted = balancing.pages_hinted();
  for (const Memory whole : wholes) {
    regions.push_back({whole.subspan(kPmdBytes, whole.size() - 2 * kPmdBytes), false, ""});
    wanted += whole.size() / kPageBytes;
  }
  bool off = false;
  const auto enough = [&] {
    off = !balancing.on();
    return off || balancing.pages_hinted() >= wanted;
  };
  std::size_t missing = regions.size();
  while (missing != 0 && !off) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - steady_clock::now());
    if (left.count() <= 0 || !burn_until(enough, left)) break;
    for (std::size_t i = 0; i < regions.size() && !off; ++i) {
      if (!regions[i].proven && seal_if_hinted(wholes[i])) {
        regions[i].proven = true;
        regions[i].why = "sentinels at both ends took one minor fault each";
        --missing;
      }
    }
    // The count was another process's, or the scan came in parts: wait for more of them.
    wanted = balancing.pages_hinted() + 1;
  }
  for (HintedMemory& region : regions) {
    if (region.proven) continue;
    region.why = off ? "kernel.numa_balancing is 0"
                     : "not hinted within " + std::to_string(patience.count() / 1000) +
                           " s: the first and the last page did not take one fault each";
  }
  return regions;
}

HintedMemory make_hinted(const Balancing& balancing, std::size_t bytes, Pages pages) {
  const Memory whole = map_guarded(bytes + 2 * kPmdBytes, pages);
  if (pages == Pages::base) {
    touch_write(whole);
  } else if (!fill_with_huge_pages(whole)) {
    return {whole.subspan(kPmdBytes, bytes), false, "no transparent huge pages to be had"};
  }
  return await_hints(balancing, std::array{whole}).front();
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

}  // namespace smaps_audit::probes
