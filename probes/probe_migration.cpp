// SPDX-License-Identifier: Apache-2.0
// P14 of docs/kernel.md §6: one huge page moves between two nodes while a thread reads it through
// get_user_pages() and the parent reads smaps. Data stays intact and Rss whole.
#include <numa.h>
#include <numaif.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstring>
#include <thread>

#include "probes/all_probes.h"
#include "probes/child.h"
#include "probes/judge.h"
#include "probes/measure.h"

namespace smaps_audit::probes {
namespace {

constexpr std::uint64_t kSeed = 11000;
constexpr std::size_t kPagesCompared = 16;
constexpr std::int64_t kMovesThatMatter = 5;
constexpr std::int64_t kReadsThatMatter = 20;
constexpr std::string_view kMoving = "moving";
constexpr std::string_view kAtRest = "at-rest";

/// The first two nodes that have memory; false where there is one.
bool two_nodes(std::array<int, 2>& nodes) {
  if (::numa_available() < 0) return false;
  std::size_t found = 0;
  for (int node = 0; node <= ::numa_max_node() && found < 2; ++node) {
    if (::numa_bitmask_isbitset(numa_all_nodes_ptr, static_cast<unsigned>(node)) != 0) {
      nodes[found++] = node;
    }
  }
  return found == 2;
}

/// Reads pages here and there through the kernel; the pattern must be there always.
bool reads_pattern(Memory memory, std::size_t first) {
  for (std::size_t i = 0; i < kPagesCompared; ++i) {
    const std::size_t page = (first + i * 31) % (memory.size() / kPageBytes);
    std::uint64_t word = 0;
    const iovec local{&word, sizeof word};
    const iovec remote{&memory[page * kPageBytes], sizeof word};
    if (::process_vm_readv(::getpid(), &local, 1, &remote, 1, 0) !=
            static_cast<ssize_t>(sizeof word) ||
        word != kSeed + page) {
      return false;
    }
  }
  return true;
}

class Race {
 public:
  Race(Memory memory, const std::array<int, 2>& nodes)
      : mover_([this, memory, nodes] { move(memory, nodes); }),
        reader_([this, memory] { read(memory); }) {}
  Race(const Race&) = delete;
  Race& operator=(const Race&) = delete;
  ~Race() { stop(); }

  void stop() {
    stop_.store(true);
    if (mover_.joinable()) mover_.join();
    if (reader_.joinable()) reader_.join();
  }
  [[nodiscard]] std::int64_t moves() const { return moves_.load(); }
  [[nodiscard]] std::int64_t reads() const { return reads_.load(); }
  [[nodiscard]] bool intact() const { return intact_.load(); }

 private:
  void move(Memory memory, const std::array<int, 2>& nodes) {
    for (std::size_t turn = 0; !stop_.load(std::memory_order_relaxed); ++turn) {
      void* page = memory.data();
      const int node = nodes[turn % 2];
      int status = -1;
      if (::move_pages(0, 1, &page, &node, &status, MPOL_MF_MOVE) == 0 && status == node) ++moves_;
    }
  }
  void read(Memory memory) {
    while (!stop_.load(std::memory_order_relaxed)) {
      if (!reads_pattern(memory, static_cast<std::size_t>(reads_++))) intact_.store(false);
    }
  }

  std::atomic<bool> stop_{false};
  std::atomic<std::int64_t> moves_{0};
  std::atomic<std::int64_t> reads_{0};
  std::atomic<bool> intact_{true};
  std::thread mover_;
  std::thread reader_;
};

void run(ProbeChild& child) {
  std::array<int, 2> nodes{};
  if (!two_nodes(nodes)) child.skip("this machine has one node with memory");
  const Memory memory = child.huge_memory(kPmdBytes);
  write_pattern(memory, kSeed);
  child.declare("huge-page", Role::subject, memory, memory.size());
  child.declare_positive(ProbeChild::base_memory(kMiB), Pages::base);
  Race race{memory, nodes};
  child.hold(kMoving);
  race.stop();
  child.fact("moves", race.moves());
  child.fact("reads_of_child", race.reads());
  child.hold(kAtRest);
  child.fact("data_intact", race.intact() && holds_pattern(memory, kSeed) ? 1 : 0);
}

Observation observe(Measurer& measurer, const std::string& state) {
  constexpr std::chrono::milliseconds kLongEnough{2000};
  return state == kMoving ? measurer.region_for(state, kLongEnough) : measurer.brief(state);
}

Answer judge_race(const Trial& trial) {
  const Observation* const moving = trial.find(kMoving);
  if (moving == nullptr || moving->truths.empty()) {
    return inconclusive("the child was not seen while its page moved");
  }
  Answer answer = judge_residency(trial, kAtRest);
  if (answer.outcome != Outcome::pass) return answer;
  const std::int64_t moves = trial.fact("moves").value_or(0);
  const std::int64_t reads = moving->fact("reads").value_or(0);
  const auto lowest = static_cast<std::uint64_t>(moving->fact("lowest_rss").value_or(0));
  const std::uint64_t truth = moving->truths[0].resident_bytes;
  answer.expected = "data intact, Rss never below " + kib_text(truth);
  answer.observed = std::to_string(moves) + " moves, lowest Rss of " + std::to_string(reads) +
                    " reads " + kib_text(lowest);
  if (moves < kMovesThatMatter || reads < kReadsThatMatter) {
    answer.outcome = Outcome::inconclusive;
    answer.reason = "the page hardly moved, or was hardly looked at";
  } else if (lowest < truth) {
    answer.outcome = Outcome::fail;
    answer.reason = "smaps loses a huge page while it moves to another node";
  } else {
    answer.reason = "a huge page that moves between nodes stays whole in smaps and in its data";
  }
  return answer;
}

Answer judge(const Trial& trial) { return with_data_check(trial, judge_race(trial)); }

}  // namespace

const Probe kMigrationRace{
    .name = "migration-race",
    .question = "Do smaps and data stay whole while a huge page moves between nodes?",
    .needs = "two nodes with memory, transparent huge pages",
    .cost = "3 MiB, two busy threads for 2 s",
    .tier = Tier::instant,
    .run = run,
    .judge = judge,
    .observe = observe};

}  // namespace smaps_audit::probes
