// SPDX-License-Identifier: Apache-2.0
// P6 of docs/kernel.md §6: is memory that NUMA balancing has hinted still in every interface? The
// hint is proven before the measurement by sentinels, and after it by counting the faults of all
// the rest: so the measurement consumed none either.
#include <numaif.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>

#include "probes/all_probes.h"
#include "probes/child.h"
#include "probes/judge.h"
#include "probes/own_cgroup.h"

namespace smaps_audit::probes {
namespace {

constexpr std::size_t kSubjectBytes = 16 * kMiB;
constexpr std::size_t kControlBytes = 4 * kMiB;
constexpr std::uint64_t kSeed = 7000;
constexpr std::chrono::seconds kShmemPatience{3};
constexpr const char* kState = "hinted";

std::size_t unit_of(Pages pages) { return pages == Pages::huge ? kPmdBytes : kPageBytes; }

/// Controls that no scan reaches.
void declare_controls(ProbeChild& child, Pages pages) {
  const Memory negative = pages == Pages::huge ? child.huge_memory(kControlBytes)
                                               : ProbeChild::base_memory(kControlBytes);
  const Memory positive = pages == Pages::huge ? child.huge_memory(kControlBytes)
                                               : ProbeChild::base_memory(kControlBytes);
  ProbeChild::shun_balancing(negative);
  ProbeChild::shun_balancing(positive);
  child.declare("never-hinted", Role::negative, negative, negative.size());
  child.declare_positive(positive, pages);
}

/// To one node and to the other, because no kernel with K02 tells on which of them it is.
void move_first_page_there_and_back(Memory memory) {
  for (const int node : {1, 0}) {
    if (::mbind(memory.data(), kPmdBytes, MPOL_BIND, std::array{1UL << node}.data(), 64,
                MPOL_MF_MOVE | MPOL_MF_STRICT) != 0) {
      die("mbind");
    }
  }
}

void sabotage(ProbeChild& child, Memory memory) {
  if (child.sabotaged(Sabotage::touch_hint)) {
    faults_of_touching(memory.first(memory.size() / 2), kPageBytes);
  }
  if (child.sabotaged(Sabotage::migrate)) move_first_page_there_and_back(memory);
}

void turn_off_if_sabotaged(ProbeChild& child) {
  if (!child.sabotaged(Sabotage::balancing_off)) return;
  write_file(child.setup().proc_root + "/sys/kernel/numa_balancing", "0");
}

/// Holds what is hinted, then counts what is left of it by touching it all.
void hold_hinted(ProbeChild& child, Memory memory, Pages pages) {
  child.declare("hinted", Role::subject, memory, memory.size());
  sabotage(child, memory);
  child.hold(kState);
  child.fact("hints_wanted", static_cast<std::int64_t>(memory.size() / unit_of(pages)));
  child.fact("hints_left", faults_of_touching(memory, unit_of(pages)));
  child.fact("hints_again", faults_of_touching(memory, unit_of(pages)));
  child.fact("data_intact", holds_pattern(memory, kSeed + kPmdBytes / kPageBytes) ? 1 : 0);
}

/// Written memory with the 2 MiB that the sentinels take at both ends.
Memory with_margins(ProbeChild& child, Pages pages) {
  const std::size_t bytes = kSubjectBytes + 2 * kPmdBytes;
  const Memory whole =
      pages == Pages::huge ? child.huge_memory(bytes) : ProbeChild::base_memory(bytes);
  write_pattern(whole, kSeed);
  return whole;
}

Memory hinted_or_end(ProbeChild& child, Memory whole) {
  ProbeChild::welcome_balancing();
  turn_off_if_sabotaged(child);
  const HintedMemory hinted = await_hints(child.balancing(), std::array{whole}).front();
  if (!hinted.proven) child.unproven(hinted.why);
  return hinted.memory;
}

void run(ProbeChild& child, Pages pages) {
  declare_controls(child, pages);
  hold_hinted(child, hinted_or_end(child, with_margins(child, pages)), pages);
}

void run_thp(ProbeChild& child) { run(child, Pages::huge); }
void run_base(ProbeChild& child) { run(child, Pages::base); }

/// A fork copies hints: both processes have the same huge pages, hinted in both.
void run_shared(ProbeChild& child) {
  declare_controls(child, Pages::huge);
  const Memory memory = hinted_or_end(child, with_margins(child, Pages::huge));
  const pid_t sharer = fork_companion([] {
    while (true) ::pause();
  });
  hold_hinted(child, memory, Pages::huge);
  ::kill(sharer, SIGKILL);
  wait_for_companion(sharer);
}

/// Older kernels never hint shmem: anonymous memory beside it proves that the scanner was here.
void run_shmem(ProbeChild& child) {
  declare_controls(child, Pages::base);
  const Memory anonymous = ProbeChild::base_memory(3 * kPmdBytes);
  const Memory whole = map_guarded(kSubjectBytes + 2 * kPmdBytes, Pages::base);
  if (::mmap(whole.data(), whole.size(), PROT_READ | PROT_WRITE,
             MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED) {
    die("mmap of shmem");
  }
  write_pattern(whole, kSeed);
  ProbeChild::welcome_balancing();
  turn_off_if_sabotaged(child);
  const Balancing balancing = child.balancing();
  const HintedMemory beside = await_hints(balancing, std::array{anonymous}).front();
  if (!beside.proven) child.unproven("memory beside it was " + beside.why);
  // The same scan hinted it already, or the next one does.
  const auto hinted = [&] { return !balancing.on() || was_hinted(whole.first(kPageBytes)); };
  if (!burn_until(hinted, kShmemPatience)) {
    child.skip("this kernel hints anonymous memory, but not shmem");
  }
  if (!balancing.on()) child.unproven("kernel.numa_balancing is 0");
  if (!was_hinted(whole.last(kPageBytes))) child.unproven("shmem was hinted in part only");
  turn_into_guard(whole.first(kPmdBytes));
  turn_into_guard(whole.last(kPmdBytes));
  hold_hinted(child, whole.subspan(kPmdBytes, kSubjectBytes), Pages::base);
}

Answer judge(const Trial& trial) {
  Answer answer = judge_residency(trial, kState);
  const std::int64_t wanted = trial.fact("hints_wanted").value_or(0);
  const std::int64_t left = trial.fact("hints_left").value_or(0);
  if (wanted == 0 || left != wanted || trial.fact("hints_again") != 0) {
    answer.outcome = Outcome::inconclusive;
    answer.defects.clear();
    answer.reason = "of " + std::to_string(wanted) + " hints " + std::to_string(left) +
                    " were left after the measurement: the state did not last";
  }
  return with_data_check(trial, answer);
}

Answer judge_huge(const Trial& trial) {
  Answer answer = judge(trial);
  if (answer.outcome == Outcome::pass) {
    answer.defects = {{"K01", false, "hinted huge pages are counted"}};
  }
  return answer;
}

constexpr std::string_view kNeeds = "--allow-sysctl (root)";

}  // namespace

const Probe kNumaHintedThp{.name = "numa-hinted-thp",
                           .question = "Are huge pages that NUMA balancing hinted still counted?",
                           .needs = "--allow-sysctl (root), transparent huge pages",
                           .cost = "28 MiB, 1 to 3 s of two CPUs",
                           .tier = Tier::balanced,
                           .uses_balancing = true,
                           .run = run_thp,
                           .judge = judge_huge};

const Probe kNumaHintedBase{.name = "numa-hinted-base",
                            .question = "Are 4 KiB pages that NUMA balancing hinted still counted?",
                            .needs = kNeeds,
                            .cost = "28 MiB, 1 to 3 s of two CPUs",
                            .tier = Tier::balanced,
                            .uses_balancing = true,
                            .run = run_base,
                            .judge = judge};

const Probe kNumaHintedShared{.name = "numa-hinted-shared",
                              .question = "Are hinted huge pages counted that a fork shares?",
                              .needs = "--allow-sysctl (root), transparent huge pages",
                              .cost = "28 MiB, 1 to 3 s of two CPUs",
                              .tier = Tier::balanced,
                              .uses_balancing = true,
                              .run = run_shared,
                              .judge = judge_huge};

const Probe kNumaHintedShmem{.name = "numa-hinted-shmem",
                             .question = "Is shmem that NUMA balancing hinted still counted?",
                             .needs = "--allow-sysctl (root)",
                             .cost = "34 MiB, 1 to 6 s of two CPUs",
                             .tier = Tier::balanced,
                             .uses_balancing = true,
                             .run = run_shmem,
                             .judge = judge};

}  // namespace smaps_audit::probes
