// SPDX-License-Identifier: Apache-2.0
// P7, P11 of docs/kernel.md §6: which callers of get_user_pages() take a NUMA hinting fault? Each
// asks for pages of its own; a later touch tells what is left of their hints.
#include <numaif.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "probes/all_probes.h"
#include "probes/child.h"
#include "probes/gup_callers.h"
#include "probes/judge.h"

namespace smaps_audit::probes {
namespace {

constexpr std::size_t kPagesEach = 8;
constexpr std::size_t kBytes = 2 * kMiB;

/// Hints that `pages` pages from `at` on still hold; each touch takes one.
std::int64_t hints_left(Memory memory, std::size_t at) {
  return faults_of_touching(memory.subspan(at * kPageBytes, kPagesEach * kPageBytes), kPageBytes);
}

void run(ProbeChild& child) {
  const std::vector<GupCaller> callers = gup_callers(child);
  ProbeChild::welcome_balancing();
  const HintedMemory hinted = make_hinted(child.balancing(), kBytes, Pages::base);
  if (!hinted.proven) child.unproven(hinted.why);
  const Memory memory = hinted.memory;
  child.fact("touch", hints_left(memory, 0));
  child.fact("touch_again", hints_left(memory, 0));
  const Memory looked_at = memory.subspan(kPagesEach * kPageBytes, kPagesEach * kPageBytes);
  void* page = looked_at.data();
  int status = 0;
  child.fact("follow_page", ::move_pages(0, 1, &page, nullptr, &status, 0) == 0 ? status : -1);
  look_at(looked_at, child);
  child.fact("looked_at", hints_left(memory, kPagesEach));
  std::size_t next = 2 * kPagesEach;
  for (const GupCaller& caller : callers) {
    bool works = true;
    for (std::size_t i = next; i < next + kPagesEach && works; ++i) {
      works = caller.ask(memory.subspan(i * kPageBytes, kPageBytes));
    }
    if (works) child.fact(caller.name, hints_left(memory, next));
    next += kPagesEach;
  }
  child.fact("untouched", hints_left(memory, next));
}

/// Does a caller take the hint? docs/kernel.md §4, "GUP vs NUMA hints by era": E0, E1, E2, E3.
struct Row {
  std::string_view caller;
  std::array<bool, 4> takes;
};
constexpr std::array kRows{
    Row{"process_vm_readv", {true, true, true, false}},
    Row{"process_vm_writev", {true, true, true, true}},
    Row{"vmsplice", {true, true, true, false}},
    Row{"direct_write", {true, true, true, false}},
    Row{"direct_read", {true, true, true, true}},
    Row{"io_uring_buffers", {true, true, true, true}},
    Row{"populate_read", {true, true, true, false}},
    Row{"populate_write", {true, true, true, true}},
    Row{"mem_read", {false, false, true, false}},
    Row{"mem_write", {false, false, true, true}},
    Row{"ptrace_read", {false, false, true, false}},
    Row{"ptrace_write", {false, false, true, true}},
};
constexpr std::size_t kEras = 4;

struct Seen {
  std::string taking;
  std::string leaving;
  std::string unclear;
  std::string missing;
  std::array<bool, kEras> fits{true, true, true, true};
};

void add(std::string& list, std::string_view name) {
  list += (list.empty() ? "" : ", ") + std::string{name};
}

Seen look(const Trial& trial) {
  Seen seen;
  for (const Row& row : kRows) {
    const auto left = trial.fact(row.caller);
    if (!left) {
      add(seen.missing, row.caller);
      continue;
    }
    const bool takes = *left == 0;
    if (!takes && *left != static_cast<std::int64_t>(kPagesEach)) {
      add(seen.unclear, row.caller);
      continue;
    }
    add(takes ? seen.taking : seen.leaving, row.caller);
    for (std::size_t era = 0; era < kEras; ++era) {
      seen.fits[era] = seen.fits[era] && row.takes[era] == takes;
    }
  }
  // E0 and E1 differ in this only.
  const bool found = trial.fact("follow_page").value_or(-1) >= 0;
  seen.fits[0] = seen.fits[0] && found;
  seen.fits[1] = seen.fits[1] && !found;
  return seen;
}

std::optional<std::string> broken_counter(const Trial& trial) {
  constexpr auto kAll = static_cast<std::int64_t>(kPagesEach);
  if (trial.fact("touch") != kAll || trial.fact("touch_again") != 0) {
    return "touching 8 hinted pages did not take 8 faults and then none";
  }
  if (trial.fact("untouched") != kAll) return "pages that nobody asked for lost their hints";
  if (trial.fact("looked_at") != kAll) return "interfaces that only look took hints";
  return std::nullopt;
}

Answer judge(const Trial& trial) {
  Answer answer = inconclusive("");
  answer.expected = "the callers of one era (docs/kernel.md)";
  if (const auto broken = broken_counter(trial)) {
    answer.reason = *broken;
    return answer;
  }
  const Seen seen = look(trial);
  answer.observed = "taking the hint: " + (seen.taking.empty() ? "none" : seen.taking) +
                    "; leaving it: " + (seen.leaving.empty() ? "none" : seen.leaving);
  if (!seen.missing.empty()) answer.observed += "; not to be had: " + seen.missing;
  if (!seen.unclear.empty()) {
    answer.reason = "now and then only: " + seen.unclear;
    return answer;
  }
  const auto* const fits = std::find(seen.fits.begin(), seen.fits.end(), true);
  if (fits == seen.fits.end() || std::count(fits, seen.fits.end(), true) != 1) {
    answer.reason = "what the callers do fits no known era, or several";
    return answer;
  }
  answer.era = "E" + std::to_string(fits - seen.fits.begin());
  answer.outcome = Outcome::pass;
  answer.reason = "every caller does as in era " + answer.era;
  return answer;
}

}  // namespace

const Probe kGupFault{.name = "gup-fault",
                      .question = "Which callers of get_user_pages() take a NUMA hinting fault?",
                      .needs = "--allow-sysctl (root); ptrace, io_uring, direct I/O where there",
                      .cost = "6 MiB, 1 to 3 s of two CPUs",
                      .tier = Tier::balanced,
                      .uses_balancing = true,
                      .run = run,
                      .judge = judge};

}  // namespace smaps_audit::probes
