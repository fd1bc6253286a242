// SPDX-License-Identifier: Apache-2.0
// P2, P3, P9 and I9 of docs/kernel.md: does the kernel's follow_page() find memory without rights?
// move_pages(2) without a destination asks it for each page.
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "probes/all_probes.h"
#include "probes/child.h"
#include "probes/judge.h"

namespace smaps_audit::probes {
namespace {

constexpr std::size_t kBytes = 4 * kMiB;
constexpr std::uint64_t kSeed = 2000;

/// GUP itself must refuse: only a caller with FOLL_FORCE may read.
bool is_refused(Memory memory) {
  std::byte byte{};
  const iovec local{&byte, 1};
  const iovec remote{memory.data(), 1};
  const bool read_refused =
      ::process_vm_readv(::getpid(), &local, 1, &remote, 1, 0) == -1 && errno == EFAULT;
  return read_refused && ::madvise(memory.data(), kPageBytes, MADV_POPULATE_READ) != 0;
}

void declare_hinted(ProbeChild& child) {
  ProbeChild::welcome_balancing();
  const std::array wholes{child.huge_memory(kBytes + 2 * kPmdBytes),
                          ProbeChild::base_memory(kBytes + 2 * kPmdBytes)};
  const std::vector<HintedMemory> regions = await_hints(child.balancing(), wholes);
  for (const HintedMemory& region : regions) {
    if (!region.proven) child.unproven(region.why);
  }
  child.declare("hinted-huge", Role::subject, regions[0].memory, kBytes);
  child.declare("hinted-base", Role::subject, regions[1].memory, kBytes);
  child.hold("hinted");
  child.fact("hints_left", faults_of_touching(regions[0].memory, kPmdBytes) +
                               faults_of_touching(regions[1].memory, kPageBytes));
  child.fact("hints_wanted", static_cast<std::int64_t>(kBytes / kPmdBytes + kBytes / kPageBytes));
}

void run(ProbeChild& child) {
  const Memory huge = child.huge_memory(kBytes);
  const Memory base = ProbeChild::base_memory(kBytes);
  const Memory negative = child.huge_memory(kBytes);
  write_pattern(huge, kSeed);
  protect(huge, PROT_NONE);
  protect(base, PROT_NONE);
  protect(negative, PROT_READ);
  child.declare("prot-none-huge", Role::subject, huge, kBytes);
  child.declare("prot-none-base", Role::subject, base, kBytes);
  child.declare("prot-read", Role::negative, negative, kBytes);
  const Memory positive = ProbeChild::base_memory(kBytes);
  child.declare_positive(positive, Pages::base);
  ProbeChild::shun_balancing(negative);
  ProbeChild::shun_balancing(positive);
  child.fact("refused", is_refused(huge) && is_refused(base) ? 1 : 0);
  child.hold("prot-none");
  protect(huge, PROT_READ);
  child.fact("data_intact", holds_pattern(huge, kSeed) ? 1 : 0);
  if (!child.setup().balancing) return;
  child.forget_regions();
  declare_hinted(child);
}

std::uint64_t pages_found(const RegionMeasure& measure) {
  std::uint64_t found = 0;
  for (const auto& [status, pages] : measure.move_status) found += status >= 0 ? pages : 0;
  return found;
}

std::optional<std::string> broken_status(const Observation& seen) {
  if (auto broken = broken_instrument(seen)) return broken;
  for (std::size_t i = 0; i < seen.truths.size(); ++i) {
    const RegionMeasure& measure = seen.measures[i];
    if (measure.move_status.empty()) return "move_pages(2) cannot be asked here";
    const bool control = seen.truths[i].role != Role::subject;
    if (control && pages_found(measure) * kPageBytes != seen.truths[i].resident_bytes) {
      return "move_pages(2) does not find the control \"" + seen.truths[i].name +
             "\": " + in_words(measure.move_status);
    }
  }
  return std::nullopt;
}

/// Fails with what is not found; K02 is the name of that.
void judge_state(const Observation& seen, Answer& answer) {
  for (std::size_t i = 0; i < seen.truths.size(); ++i) {
    const RegionTruth& truth = seen.truths[i];
    if (truth.role != Role::subject) continue;
    const RegionMeasure& measure = seen.measures[i];
    const std::string comma = answer.expected.empty() ? "" : "; ";
    const std::uint64_t wanted = truth.resident_bytes / kPageBytes;
    answer.expected += comma + truth.name + " " + std::to_string(wanted) + " pages found";
    answer.observed += comma + truth.name + " " + in_words(measure.move_status);
    if (pages_found(measure) == wanted || answer.outcome == Outcome::fail) continue;
    answer.outcome = Outcome::fail;
    answer.reason = "move_pages(2) does not find pages of " + truth.name;
    answer.defects = {{"K02", true, answer.reason}};
  }
}

Answer judge_follow(const Trial& trial) {
  Answer answer = inconclusive("");
  const Observation* const without_rights = trial.find("prot-none");
  if (without_rights == nullptr) return inconclusive("the child was not seen under PROT_NONE");
  const Observation* const hinted = trial.find("hinted");
  for (const Observation* const seen : {without_rights, hinted}) {
    if (seen == nullptr) continue;
    if (const auto broken = broken_status(*seen)) return inconclusive(*broken);
    judge_state(*seen, answer);
  }
  if (hinted != nullptr && trial.fact("hints_left") != trial.fact("hints_wanted")) {
    return inconclusive(std::to_string(trial.fact("hints_left").value_or(0)) + " of " +
                        std::to_string(trial.fact("hints_wanted").value_or(0)) +
                        " hints were left after the measurement");
  }
  if (trial.fact("refused") != 1 && answer.outcome != Outcome::fail) {
    answer.outcome = Outcome::fail;
    answer.reason = "memory under PROT_NONE could be read through process_vm_readv";
  }
  if (answer.outcome == Outcome::fail) return answer;
  answer.outcome = Outcome::pass;
  answer.reason = hinted != nullptr ? "move_pages(2) finds every page, hinted ones too"
                                    : "move_pages(2) finds every page";
  answer.defects = {{"K02", false, answer.reason}};
  return answer;
}

Answer judge(const Trial& trial) { return with_data_check(trial, judge_follow(trial)); }

}  // namespace

const Probe kFollowPage{
    .name = "follow-page",
    .question = "Does move_pages(2) find pages under PROT_NONE (and hinted ones)?",
    .needs = "transparent huge pages; hints: --allow-sysctl",
    .cost = "16 MiB, 0.3 s; with hints 2 s of CPU",
    .tier = Tier::instant,
    .uses_balancing = true,
    .run = run,
    .judge = judge};

}  // namespace smaps_audit::probes
