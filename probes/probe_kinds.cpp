// SPDX-License-Identifier: Apache-2.0
// P19 of docs/kernel.md §6: rarer kinds of memory, each with the row of §1.2 that it must show.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "parsers/pagemap.h"
#include "probes/all_probes.h"
#include "probes/child.h"
#include "probes/judge.h"

namespace smaps_audit::probes {
namespace {

constexpr std::size_t kBytes = 4 * kMiB;
constexpr std::uint64_t kSeed = 17000;
constexpr std::uint64_t kMostLazyFreeMissing = 64 * kPageBytes;  // batches that CPUs keep
constexpr int kMadvGuardInstall = 102;                           // Linux 6.13
constexpr long kSysMemfdSecret = 447;
constexpr const char* kState = "made";

void declare_control(ProbeChild& child) {
  const Memory plain = ProbeChild::base_memory(kMiB);
  child.declare("plain", Role::negative, plain, plain.size());
  child.declare_positive(ProbeChild::base_memory(kMiB), Pages::base);
}

/// The subject of the one state; nullptr with a reason where it cannot be judged.
const RegionMeasure* subject_of(const Trial& trial, Answer& answer) {
  const Observation* const seen = trial.find(kState);
  if (seen == nullptr || seen->measures.empty()) {
    answer = inconclusive("the child was not seen");
    return nullptr;
  }
  if (const auto broken = broken_instrument(*seen)) {
    answer = inconclusive(*broken);
    return nullptr;
  }
  return &seen->measures[0];
}

Answer settle(const Trial& trial, Answer answer, bool right, const char* good, const char* bad) {
  answer.outcome = right ? Outcome::pass : Outcome::fail;
  answer.reason = right ? good : bad;
  return with_data_check(trial, answer);
}

// lazyfree

void run_lazyfree(ProbeChild& child) {
  const Memory memory = ProbeChild::base_memory(kBytes);
  advise(memory, MADV_FREE);
  child.declare("lazily-free", Role::subject, memory, kBytes);
  declare_control(child);
  child.hold(kState);
  child.fact("data_intact", 1);  // the kernel may have taken it: that is what was allowed
}

Answer judge_lazyfree(const Trial& trial) {
  Answer answer = judge_residency(trial, kState);
  if (answer.outcome != Outcome::pass) return answer;
  const RegionMeasure* const lazy = subject_of(trial, answer);
  if (lazy == nullptr) return answer;
  const std::uint64_t told = lazy->smaps.bytes(SmapsField::lazy_free).value_or(0);
  answer.expected += ", LazyFree nearly all, nothing dirty";
  answer.observed += ", LazyFree " + kib_text(told) + ", Private_Dirty " +
                     kib_text(lazy->smaps.bytes(SmapsField::private_dirty).value_or(0));
  const bool right = told <= kBytes && told + kMostLazyFreeMissing >= kBytes &&
                     lazy->smaps.bytes(SmapsField::private_dirty) == 0 &&
                     lazy->numa_dirty_bytes.value_or(0) == 0;
  return settle(trial, answer, right, "what MADV_FREE freed is resident, clean and marked as such",
                "what MADV_FREE freed is not marked as such");
}

// guard

void run_guard(ProbeChild& child) {
  const Memory memory = ProbeChild::base_memory(kBytes);
  write_pattern(memory, kSeed);
  const Memory guarded = memory.last(kBytes / 2);
  if (::madvise(guarded.data(), guarded.size(), kMadvGuardInstall) != 0) {
    child.skip("guard regions need Linux 6.13");
  }
  child.declare("half-guarded", Role::subject, memory, kBytes / 2);
  declare_control(child);
  child.hold(kState);
  // The audit counts a marker as no page, so what it measures holds none.
  const std::vector<PagemapWord> words = child.own_pagemap(guarded);
  if (!words.empty()) {
    child.fact("marked_pages", std::count_if(words.begin(), words.end(), [](PagemapWord word) {
                 return word.swapped() && !word.present();
               }));
  }
  child.fact("data_intact", holds_pattern(memory.first(kBytes / 2), kSeed) ? 1 : 0);
}

Answer judge_guard(const Trial& trial) {
  Answer answer = judge_residency(trial, kState);
  if (answer.outcome != Outcome::pass) return answer;
  const auto marked = trial.fact("marked_pages");
  if (!marked) return inconclusive("the child cannot read its own pagemap");
  const auto bytes = static_cast<std::uint64_t>(*marked) * kPageBytes;
  answer.expected += ", the other half as markers";
  answer.observed += ", markers " + kib_text(bytes);
  return settle(trial, answer, bytes == kBytes / 2,
                "guard markers are not resident, and pagemap shows them",
                "pagemap does not show guard markers");
}

// secretmem

void run_secretmem(ProbeChild& child) {
  const int file = static_cast<int>(::syscall(kSysMemfdSecret, O_CLOEXEC));
  if (file < 0) child.skip(std::string{"no memfd_secret: "} + std::strerror(errno));
  const Memory memory = map_guarded(kMiB, Pages::base);
  if (::ftruncate(file, static_cast<off_t>(kMiB)) != 0) die("ftruncate of secret memory");
  if (::mmap(memory.data(), kMiB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0) ==
      MAP_FAILED) {
    child.skip(std::string{"secret memory cannot be mapped: "} + std::strerror(errno));
  }
  touch_write(memory);
  write_pattern(memory, kSeed);
  child.declare("secret", Role::subject, memory, kMiB);
  declare_control(child);
  child.hold(kState);
  child.fact("data_intact", holds_pattern(memory, kSeed) ? 1 : 0);
}

Answer judge_secretmem(const Trial& trial) {
  return with_data_check(trial, judge_residency(trial, kState));
}

// hugetlb

void run_hugetlb(ProbeChild& child) {
  const Memory memory = map_guarded(2 * kPmdBytes, Pages::base);
  if (::mmap(memory.data(), memory.size(), PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_FIXED, -1, 0) == MAP_FAILED) {
    child.skip("no hugetlb pages are reserved (vm.nr_hugepages)");
  }
  touch_write(memory);
  protect(memory, PROT_NONE);
  child.declare("hugetlb", Role::subject, memory, memory.size());
  declare_control(child);
  child.hold(kState);
  child.fact("data_intact", 1);
}

/// hugetlb is in no Rss, and in every other interface.
Answer judge_hugetlb(const Trial& trial) {
  Answer answer = inconclusive("");
  const RegionMeasure* const huge = subject_of(trial, answer);
  if (huge == nullptr) return answer;
  constexpr std::uint64_t kAll = 2 * kPmdBytes;
  const std::uint64_t told = huge->smaps.bytes(SmapsField::private_hugetlb).value_or(0);
  answer.expected = "Rss 0 kB, Private_Hugetlb, numa_maps and pagemap " + kib_text(kAll);
  answer.observed = in_words(witnesses_of(*huge)) + ", Private_Hugetlb " + kib_text(told);
  const bool right = huge->smaps.bytes(SmapsField::rss) == 0 && told == kAll &&
                     huge->numa_bytes.value_or(kAll) == kAll &&
                     huge->present_bytes.value_or(kAll) == kAll;
  return settle(trial, answer, right, "hugetlb pages under PROT_NONE are counted apart from Rss",
                "hugetlb pages under PROT_NONE are miscounted");
}

// swap

void run_swap(ProbeChild& child) {
  const Memory memory = ProbeChild::base_memory(kBytes);
  write_pattern(memory, kSeed);
  ::madvise(memory.data(), memory.size(), MADV_PAGEOUT);
  child.declare("swapped-out", Role::subject, memory, kBytes);
  declare_control(child);
  child.hold(kState);
  child.fact("data_intact", holds_pattern(memory, kSeed) ? 1 : 0);
}

/// Resident and swapped pages sum up, whatever the kernel chose to write out.
Answer judge_swap(const Trial& trial) {
  Answer answer = inconclusive("");
  const RegionMeasure* const out = subject_of(trial, answer);
  if (out == nullptr) return answer;
  const std::uint64_t rss = out->smaps.bytes(SmapsField::rss).value_or(0);
  const std::uint64_t swap = out->smaps.bytes(SmapsField::swap).value_or(0);
  answer.expected = "Rss and Swap sum up to " + kib_text(kBytes) + ", as in pagemap";
  answer.observed = "Rss " + kib_text(rss) + ", Swap " + kib_text(swap) + ", pagemap present " +
                    kib_text(out->present_bytes.value_or(0)) + ", swapped " +
                    kib_text(out->swapped_bytes);
  // mincore(2) cannot tell: it calls resident what the swap cache still holds.
  if (swap == 0 && out->swapped_bytes == 0 && rss == kBytes) {
    answer.outcome = Outcome::skipped;
    answer.reason = "nothing could be swapped out: there is no swap";
    return answer;
  }
  const bool right = rss + swap == kBytes && swap == out->swapped_bytes &&
                     rss == out->present_bytes.value_or(rss) && swap != 0;
  return settle(trial, answer, right, "swapped pages are in Swap and not in Rss",
                "swapped pages are miscounted");
}

constexpr std::string_view kCost = "6 MiB, 0.2 s";

}  // namespace

const Probe kLazyfree{.name = "lazyfree",
                      .question = "Does memory under MADV_FREE show as resident and clean?",
                      .needs = "nothing",
                      .cost = kCost,
                      .tier = Tier::extended,
                      .run = run_lazyfree,
                      .judge = judge_lazyfree};

const Probe kGuard{.name = "guard",
                   .question = "Are guard regions no memory?",
                   .needs = "MADV_GUARD_INSTALL (Linux 6.13)",
                   .cost = kCost,
                   .tier = Tier::extended,
                   .run = run_guard,
                   .judge = judge_guard};

const Probe kSecretmem{.name = "secretmem",
                       .question = "Is secret memory counted?",
                       .needs = "memfd_secret (secretmem.enable)",
                       .cost = kCost,
                       .tier = Tier::extended,
                       .run = run_secretmem,
                       .judge = judge_secretmem};

const Probe kHugetlb{.name = "hugetlb",
                     .question = "Are hugetlb pages under PROT_NONE counted apart from Rss?",
                     .needs = "two reserved hugetlb pages",
                     .cost = kCost,
                     .tier = Tier::extended,
                     .run = run_hugetlb,
                     .judge = judge_hugetlb};

const Probe kSwap{.name = "swap",
                  .question = "Do Rss and Swap of swapped memory sum up?",
                  .needs = "swap space",
                  .cost = "6 MiB, 4 MiB of swap, 0.3 s",
                  .tier = Tier::extended,
                  .run = run_swap,
                  .judge = judge_swap};

}  // namespace smaps_audit::probes
