// SPDX-License-Identifier: Apache-2.0
// P15 of docs/kernel.md §6: pages that KSM merged, under PROT_NONE. Does MADV_UNMERGEABLE give each
// its own copy again? Where follow_page() fails on PROT_NONE (K02) it does not, and says nothing.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>

#include "collect/target.h"
#include "probes/all_probes.h"
#include "probes/child.h"
#include "probes/judge.h"

namespace smaps_audit::probes {
namespace {

using std::chrono::steady_clock;
constexpr std::size_t kBytes = 2 * kMiB;
constexpr std::uint64_t kMostOfMerged = kBytes / 8;
constexpr std::chrono::seconds kMergePatience{25};
constexpr std::chrono::milliseconds kPoll{50};
enum Region : std::size_t { kProtNone, kProtRead, kLeftMerged, kRegions };

struct Same {
  Memory memory;
  std::uint64_t word = 0;
};

/// Pages that are all alike, and like no other's on this machine.
Same make_same(ProbeChild& child) {
  const auto moment = static_cast<std::uint64_t>(child.view().wall_now().count());
  const Same same{ProbeChild::base_memory(kBytes), moment ^ static_cast<std::uint64_t>(::getpid())};
  for (std::size_t at = 0; at < kBytes; at += kPageBytes) {
    std::memcpy(&same.memory[at], &same.word, sizeof same.word);
  }
  if (::madvise(same.memory.data(), kBytes, MADV_MERGEABLE) != 0) {
    child.skip("this kernel has no KSM");
  }
  return same;
}

bool holds_the_same(const Same& same) {
  for (std::size_t at = 0; at < kBytes; at += kPageBytes) {
    if (std::memcmp(&same.memory[at], &same.word, sizeof same.word) != 0) return false;
  }
  return true;
}

std::uint64_t pss_of(const SmapsText& text, Memory memory) {
  const auto start = reinterpret_cast<std::uintptr_t>(memory.data());
  std::uint64_t sum = 0;
  for (const SmapsRecord& record : text.records) {
    if (record.header.start < start || record.header.end > start + memory.size()) continue;
    sum += record.values.bytes(SmapsField::pss).value_or(0);
  }
  return sum;
}

bool are_merged(ProbeChild& child, const std::vector<Same>& regions) {
  const auto text = read_file(child.view(), KernelRoot::proc, "self/smaps");
  const auto records = text ? parse_smaps(*text) : Result<SmapsText>{text.error()};
  return records && std::all_of(regions.begin(), regions.end(), [&](const Same& region) {
           return pss_of(*records, region.memory) <= kMostOfMerged;
         });
}

void run(ProbeChild& child) {
  if (!child.setup().merging) child.skip("KSM does not run");
  std::vector<Same> regions;
  for (std::size_t i = 0; i < kRegions; ++i) regions.push_back(make_same(child));
  const auto deadline = steady_clock::now() + kMergePatience;
  while (!are_merged(child, regions)) {
    if (steady_clock::now() > deadline) {
      child.unproven("KSM did not merge equal pages within " +
                     std::to_string(kMergePatience.count()) + " s");
    }
    std::this_thread::sleep_for(kPoll);
  }
  child.declare("prot-none", Role::subject, regions[kProtNone].memory, kBytes);
  child.declare("prot-read", Role::negative, regions[kProtRead].memory, kBytes);
  child.declare("left-merged", Role::negative, regions[kLeftMerged].memory, kBytes);
  child.declare_positive(ProbeChild::base_memory(kMiB), Pages::base);
  child.hold("merged");
  protect(regions[kProtNone].memory, PROT_NONE);
  protect(regions[kProtRead].memory, PROT_READ);
  advise(regions[kProtNone].memory, MADV_UNMERGEABLE);
  advise(regions[kProtRead].memory, MADV_UNMERGEABLE);
  child.hold("unmerged");
  protect(regions[kProtNone].memory, PROT_READ);
  const bool intact = std::all_of(regions.begin(), regions.end(), holds_the_same);
  child.fact("data_intact", intact ? 1 : 0);
}

std::uint64_t pss_of(const Observation& seen, Region region) {
  return seen.measures[region].smaps.bytes(SmapsField::pss).value_or(0);
}

/// What says that sharing and its end can be seen at all; nullopt: it can.
std::optional<std::string> broken_sharing(const Observation& merged, const Observation& unmerged) {
  for (const Region region : {kProtNone, kProtRead, kLeftMerged}) {
    if (pss_of(merged, region) > kMostOfMerged) return "merged pages do not show as shared";
  }
  if (pss_of(unmerged, kLeftMerged) > kMostOfMerged) return "pages left merged did not stay so";
  if (pss_of(unmerged, kProtRead) == kBytes) return std::nullopt;
  return "readable pages were not given back either: Pss " + kib_text(pss_of(unmerged, kProtRead));
}

Answer judge_unmerged(const Trial& trial) {
  const Observation* const merged = trial.find("merged");
  const Observation* const unmerged = trial.find("unmerged");
  if (merged == nullptr || unmerged == nullptr || unmerged->measures.size() <= kRegions) {
    return inconclusive("the child was not seen in both states");
  }
  for (const Observation* const seen : {merged, unmerged}) {
    Answer counted = judge_residency(*seen);
    if (counted.outcome != Outcome::pass) return counted;
  }
  Answer answer = inconclusive("");
  answer.expected = "Pss " + kib_text(kBytes) + " again";
  answer.observed = "Pss " + kib_text(pss_of(*merged, kProtNone)) + " while merged, then " +
                    kib_text(pss_of(*unmerged, kProtNone));
  if (const auto broken = broken_sharing(*merged, *unmerged)) {
    answer.reason = *broken;
    return answer;
  }
  const bool restored = pss_of(*unmerged, kProtNone) == kBytes;
  answer.outcome = restored ? Outcome::pass : Outcome::fail;
  answer.reason = restored ? "MADV_UNMERGEABLE gives back every page, under PROT_NONE too"
                           : "MADV_UNMERGEABLE leaves pages under PROT_NONE merged";
  answer.defects = {{"K02", !restored, answer.reason}};
  return answer;
}

Answer judge(const Trial& trial) { return with_data_check(trial, judge_unmerged(trial)); }

}  // namespace

const Probe kKsmUnmerge{.name = "ksm-unmerge",
                        .question = "Does MADV_UNMERGEABLE work under PROT_NONE?",
                        .needs = "--allow-sysctl (root), KSM: it runs meanwhile for all",
                        .cost = "8 MiB, 1 to 25 s",
                        .tier = Tier::by_name,
                        .uses_merging = true,
                        .run = run,
                        .judge = judge};

}  // namespace smaps_audit::probes
