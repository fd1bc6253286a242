// SPDX-License-Identifier: Apache-2.0
// P16 of docs/kernel.md §6, K03: does smaps_rollup leave mappings out while threads map and unmap?
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <thread>
#include <vector>

#include "probes/all_probes.h"
#include "probes/child.h"
#include "probes/judge.h"
#include "probes/measure.h"

namespace smaps_audit::probes {
namespace {

constexpr std::size_t kVmas = 400;
constexpr std::size_t kPagesOfVma = 16;
constexpr std::size_t kVmaBytes = kPagesOfVma * kPageBytes;
constexpr std::size_t kChurners = 3;
constexpr std::int64_t kReadsThatMatter = 20;
constexpr std::int64_t kChurnsThatMatter = 1000;
constexpr std::string_view kChurning = "threads-map-and-unmap";

/// 400 VMAs side by side: every other one is read-only.
Memory many_vmas() {
  const Memory memory = ProbeChild::base_memory(kVmas * kVmaBytes);
  for (std::size_t i = 1; i < kVmas; i += 2) {
    protect(memory.subspan(i * kVmaBytes, kVmaBytes), PROT_READ);
  }
  return memory;
}

/// Maps a page, never touches it, unmaps it: VmRSS stays, mmap_lock is wanted for writing.
class Churners {
 public:
  Churners() {
    for (std::size_t i = 0; i < kChurners; ++i) {
      threads_.emplace_back([this] {
        while (!stop_.load(std::memory_order_relaxed)) {
          void* const page =
              ::mmap(nullptr, kPageBytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
          if (page != MAP_FAILED && ::munmap(page, kPageBytes) == 0) ++rounds_;
        }
      });
    }
  }
  Churners(const Churners&) = delete;
  Churners& operator=(const Churners&) = delete;
  ~Churners() {
    stop_.store(true);
    for (std::thread& thread : threads_) thread.join();
  }
  [[nodiscard]] std::int64_t rounds() const { return rounds_.load(); }

 private:
  std::atomic<bool> stop_{false};
  std::atomic<std::int64_t> rounds_{0};
  std::vector<std::thread> threads_;
};

void run(ProbeChild& child) {
  const Memory memory = many_vmas();
  child.declare("many-vmas", Role::subject, memory, memory.size());
  child.hold("quiet");
  std::int64_t rounds = 0;
  {
    const Churners churners;
    child.hold(kChurning);
    rounds = churners.rounds();
  }
  child.fact("churns", rounds);
  for (std::size_t i = 0; i < kVmas; i += 2) {
    advise(memory.subspan(i * kVmaBytes, kVmaBytes), MADV_DONTNEED);
  }
  child.forget_regions();
  child.declare("many-vmas", Role::positive, memory, memory.size() / 2);
  child.hold("half-given-back");
}

Observation observe(Measurer& measurer, const std::string& state) {
  constexpr std::chrono::milliseconds kLongEnough{1500};
  return state == kChurning ? measurer.rollup_for(state, kLongEnough) : measurer.brief(state);
}

std::optional<std::string> rollup_broken(const Observation& seen) {
  if (!seen.rollup_rss_bytes) return "smaps_rollup could not be read";
  if (*seen.rollup_rss_bytes == seen.smaps_rss_bytes) return std::nullopt;
  return "smaps_rollup of the quiet child says " + kib_text(*seen.rollup_rss_bytes) + ", smaps " +
         kib_text(seen.smaps_rss_bytes);
}

Answer judge(const Trial& trial) {
  const Observation* const quiet = trial.find("quiet");
  const Observation* const churning = trial.find(kChurning);
  const Observation* const halved = trial.find("half-given-back");
  if (quiet == nullptr || churning == nullptr || halved == nullptr) {
    return inconclusive("the child was not seen in all of its states");
  }
  for (const Observation* const seen : {quiet, halved}) {
    if (const auto broken = broken_instrument(*seen)) return inconclusive(*broken);
    if (const auto broken = rollup_broken(*seen)) return inconclusive(*broken);
  }
  const std::uint64_t given_back = quiet->truths[0].resident_bytes / 2;
  if (*quiet->rollup_rss_bytes < *halved->rollup_rss_bytes + given_back / 2) {
    return inconclusive("smaps_rollup did not show that half was given back");
  }
  const std::int64_t reads = churning->fact("reads").value_or(0);
  const std::int64_t churns = trial.fact("churns").value_or(0);
  if (reads < kReadsThatMatter || churns < kChurnsThatMatter) {
    return inconclusive("too little contention: " + std::to_string(reads) + " reads beside " +
                        std::to_string(churns) + " mappings");
  }
  // What the child touched is there in any case; stacks and the heap may come on top.
  const std::uint64_t truth = quiet->truths[0].resident_bytes;
  const auto lowest = static_cast<std::uint64_t>(churning->fact("lowest_rss").value_or(0));
  Answer answer = inconclusive("");
  answer.expected = "never below " + kib_text(*quiet->rollup_rss_bytes);
  answer.observed = "lowest of " + std::to_string(reads) + " reads " + kib_text(lowest);
  answer.outcome = lowest < truth ? Outcome::fail : Outcome::pass;
  answer.reason = lowest < truth ? "smaps_rollup skips mappings while others wait for the lock"
                                 : "smaps_rollup was complete in every read";
  answer.defects = {{"K03", lowest < truth, answer.reason}};
  return answer;
}

}  // namespace

const Probe kRollupContention{.name = "rollup-contention",
                              .question = "Is smaps_rollup complete while threads map and unmap?",
                              .needs = "smaps_rollup",
                              .cost = "25 MiB, 3 busy threads for 1.5 s",
                              .tier = Tier::instant,
                              .run = run,
                              .judge = judge,
                              .observe = observe};

}  // namespace smaps_audit::probes
