// SPDX-License-Identifier: Apache-2.0
// P18 of docs/kernel.md §6, K09: one half of a huge page is shared with a fork, the other is not.
// Does pagemap call as many pages exclusive as smaps calls private?
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "probes/all_probes.h"
#include "probes/child.h"
#include "probes/judge.h"

namespace smaps_audit::probes {
namespace {

constexpr std::size_t kPagesOfPmd = kPmdBytes / kPageBytes;
constexpr std::uint64_t kSeed = 13000;

/// The companion gives the first half up and says so: its head page is ours alone then.
void keep_second_half(Memory memory, int ready) {
  turn_into_guard(memory.first(kPmdBytes / 2));
  const char done = 'd';
  if (::write(ready, &done, 1) != 1) return;
  while (true) ::pause();
}

void run(ProbeChild& child) {
  const Memory shared = child.huge_memory(kPmdBytes);
  write_pattern(shared, kSeed);
  const Memory alone = child.huge_memory(kPmdBytes);
  std::array<int, 2> ready{};
  if (::pipe2(ready.data(), 0) != 0) die("pipe2");
  const pid_t sharer = fork_companion([&] {
    turn_into_guard(alone);
    keep_second_half(shared, ready[1]);
  });
  ::close(ready[1]);
  char done = 0;
  if (::read(ready[0], &done, 1) != 1) child.unproven("the sharing process has gone");
  child.declare("half-shared", Role::subject, shared, kPmdBytes);
  child.declare("not-shared", Role::negative, alone, kPmdBytes);
  child.hold("half-shared");
  ::kill(sharer, SIGKILL);
  wait_for_companion(sharer);
  child.fact("data_intact", holds_pattern(shared, kSeed) ? 1 : 0);
}

std::uint64_t private_bytes(const RegionMeasure& measure) {
  return measure.smaps.bytes(SmapsField::private_clean).value_or(0) +
         measure.smaps.bytes(SmapsField::private_dirty).value_or(0);
}

Answer judge_exclusive(const Trial& trial) {
  const Observation* const seen = trial.find("half-shared");
  if (seen == nullptr || seen->measures.size() != 2) {
    return inconclusive("the child was not seen with half of its page shared");
  }
  Answer answer = judge_residency(*seen);
  if (answer.outcome == Outcome::fail) return answer;
  const RegionMeasure& shared = seen->measures[0];
  const RegionMeasure& alone = seen->measures[1];
  answer.outcome = Outcome::inconclusive;
  answer.expected =
      std::to_string(kPagesOfPmd / 2) + " of " + std::to_string(kPagesOfPmd) + " pages exclusive";
  answer.observed = std::to_string(shared.exclusive_bytes / kPageBytes) +
                    " pages exclusive in pagemap, " +
                    std::to_string(private_bytes(shared) / kPageBytes) + " private in smaps";
  if (const auto broken = broken_instrument(*seen)) {
    answer.reason = *broken;
  } else if (alone.exclusive_bytes != kPmdBytes || private_bytes(alone) != kPmdBytes) {
    answer.reason = "a page that nobody shares does not show as exclusive";
  } else if (private_bytes(shared) != kPmdBytes / 2) {
    answer.reason = "smaps does not show that half of the page is shared";
  } else {
    const bool right = shared.exclusive_bytes == kPmdBytes / 2;
    answer.outcome = right ? Outcome::pass : Outcome::fail;
    answer.reason = right ? "pagemap tells the shared half of a huge page from the other"
                          : "pagemap takes its first page's word for the whole huge page";
    answer.defects = {{"K09", !right, answer.reason}};
  }
  return answer;
}

Answer judge(const Trial& trial) { return with_data_check(trial, judge_exclusive(trial)); }

}  // namespace

const Probe kExclusiveBit{.name = "exclusive-bit",
                          .question = "Does pagemap know which part of a huge page is shared?",
                          .needs = "transparent huge pages",
                          .cost = "4 MiB, 0.2 s",
                          .tier = Tier::extended,
                          .run = run,
                          .judge = judge};

}  // namespace smaps_audit::probes
