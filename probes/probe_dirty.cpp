// SPDX-License-Identifier: Apache-2.0
// P5 of docs/kernel.md §6, K15: does a written huge page stay dirty? A kernel that forgets it loses
// user data under MADV_FREE.
#include <sys/mman.h>

#include "probes/all_probes.h"
#include "probes/child.h"
#include "probes/judge.h"

namespace smaps_audit::probes {
namespace {

constexpr std::size_t kBytes = 8 * kMiB;
constexpr std::uint64_t kSeed = 9000;

void run(ProbeChild& child) {
  const Memory huge = child.huge_memory(kBytes);
  const Memory base = ProbeChild::base_memory(kBytes);
  const Memory lazily_free = ProbeChild::base_memory(kBytes);
  write_pattern(huge, kSeed);
  write_pattern(base, kSeed);
  advise(lazily_free, MADV_FREE);
  child.declare("huge", Role::subject, huge, kBytes);
  child.declare("base", Role::negative, base, kBytes);
  child.declare("lazily-free", Role::positive, lazily_free, kBytes);
  child.hold("written");
  for (const Memory memory : {huge, base}) {
    protect(memory, PROT_NONE);
    protect(memory, PROT_READ | PROT_WRITE);
  }
  child.hold("rights-taken-and-given-back");
  const bool intact = holds_pattern(huge, kSeed) && holds_pattern(base, kSeed);
  child.fact("data_intact", intact ? 1 : 0);
}

std::uint64_t dirty_bytes(const RegionMeasure& measure) {
  return measure.smaps.bytes(SmapsField::private_dirty).value_or(0);
}

std::string dirty_text(const RegionMeasure& measure) {
  return "Private_Dirty " + kib_text(dirty_bytes(measure)) + ", Private_Clean " +
         kib_text(measure.smaps.bytes(SmapsField::private_clean).value_or(0));
}

enum Region : std::size_t { kHuge, kBase, kLazilyFree };

Answer judge_dirty(const Trial& trial) {
  const Observation* const before = trial.find("written");
  const Observation* const after = trial.find("rights-taken-and-given-back");
  if (before == nullptr || after == nullptr || after->measures.size() != kLazilyFree + 1) {
    return inconclusive("the child was not seen in both states");
  }
  Answer answer = inconclusive("");
  answer.expected = "Private_Dirty " + kib_text(kBytes) + ", Private_Clean 0 kB";
  answer.observed = dirty_text(after->measures[kHuge]);
  for (const Observation* const seen : {before, after}) {
    if (const auto broken = broken_instrument(*seen)) {
      answer.reason = *broken;
    } else if (dirty_bytes(seen->measures[kBase]) != kBytes) {
      answer.reason = "4 KiB pages do not show as dirty: " + dirty_text(seen->measures[kBase]);
    } else if (dirty_bytes(seen->measures[kLazilyFree]) != 0) {
      answer.reason =
          "pages that were freed lazily show as dirty: " + dirty_text(seen->measures[kLazilyFree]);
    }
  }
  if (!answer.reason.empty()) return answer;
  if (dirty_bytes(before->measures[kHuge]) != kBytes) {
    answer.reason = "huge pages do not show as dirty after they were written";
    return answer;
  }
  const std::uint64_t lost = kBytes - dirty_bytes(after->measures[kHuge]);
  answer.outcome = lost == 0 ? Outcome::pass : Outcome::fail;
  answer.reason = lost == 0 ? "written huge pages stay dirty"
                            : "mprotect makes " + kib_text(lost) +
                                  " of written huge pages clean: MADV_FREE may lose them";
  answer.defects = {{"K15", lost != 0, answer.reason}};
  return answer;
}

Answer judge(const Trial& trial) { return with_data_check(trial, judge_dirty(trial)); }

}  // namespace

const Probe kThpDirty{.name = "thp-dirty",
                      .question = "Is a written huge page still dirty after mprotect?",
                      .needs = "transparent huge pages",
                      .cost = "24 MiB, 0.3 s",
                      .tier = Tier::instant,
                      .run = run,
                      .judge = judge};

}  // namespace smaps_audit::probes
