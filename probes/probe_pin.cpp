// SPDX-License-Identifier: Apache-2.0
// P12 of docs/kernel.md §6: pages that are pinned for long (io_uring's fixed buffers) are no use to
// migrate, so NUMA balancing should not hint them again.
#include <array>

#include "probes/all_probes.h"
#include "probes/child.h"
#include "probes/gup_callers.h"
#include "probes/judge.h"

namespace smaps_audit::probes {
namespace {

constexpr std::size_t kPinnedPages = 16;
constexpr std::size_t kPinnedBytes = kPinnedPages * kPageBytes;

void run(ProbeChild& child) {
  const FixedBuffers buffers;
  const Memory whole = ProbeChild::base_memory(4 * kPmdBytes);
  const Memory pinned = whole.subspan(kPmdBytes, kPinnedBytes);
  if (!buffers.pin(pinned)) child.skip("io_uring takes no fixed buffers here");
  ProbeChild::welcome_balancing();
  const HintedMemory hinted = await_hints(child.balancing(), std::array{whole}).front();
  if (!hinted.proven) child.unproven(hinted.why);
  child.fact("pinned", faults_of_touching(hinted.memory.first(kPinnedBytes), kPageBytes));
  const Memory rest = hinted.memory.subspan(kPinnedBytes);
  child.fact("not_pinned", faults_of_touching(rest, kPageBytes));
  child.fact("not_pinned_wanted", static_cast<std::int64_t>(rest.size() / kPageBytes));
}

Answer judge(const Trial& trial) {
  Answer answer = inconclusive("");
  const std::int64_t pinned = trial.fact("pinned").value_or(-1);
  answer.expected = "none of 16 pinned pages hinted, all pages beside them";
  answer.observed = std::to_string(pinned) + " pinned pages hinted, " +
                    std::to_string(trial.fact("not_pinned").value_or(-1)) + " of " +
                    std::to_string(trial.fact("not_pinned_wanted").value_or(-1)) + " beside them";
  if (trial.fact("not_pinned") != trial.fact("not_pinned_wanted")) {
    answer.reason = "pages that are not pinned were not all hinted";
    return answer;
  }
  answer.outcome = pinned == 0 ? Outcome::pass : Outcome::fail;
  answer.reason = pinned == 0 ? "pinned pages are not hinted" : "pinned pages are hinted";
  return answer;
}

}  // namespace

const Probe kLongtermPin{.name = "longterm-pin",
                         .question = "Does NUMA balancing leave pinned pages alone?",
                         .needs = "--allow-sysctl (root), io_uring",
                         .cost = "8 MiB, 1 to 3 s of two CPUs",
                         .tier = Tier::extended,
                         .uses_balancing = true,
                         .run = run,
                         .judge = judge};

}  // namespace smaps_audit::probes
