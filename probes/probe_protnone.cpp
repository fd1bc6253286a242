// SPDX-License-Identifier: Apache-2.0
// P1, P3, P4 of docs/kernel.md §6: is memory without access rights still counted?
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "probes/all_probes.h"
#include "probes/child.h"
#include "probes/judge.h"

namespace smaps_audit::probes {
namespace {

constexpr std::size_t kSubjectBytes = 16 * kMiB;
constexpr std::size_t kControlBytes = 4 * kMiB;
constexpr std::uint64_t kSeed = 1000;
constexpr int kMadvCollapse = 25;  // Linux 6.1

/// The same in every probe: memory under PROT_NONE beside the same under PROT_READ, and half given
/// back.
void hold_without_rights(ProbeChild& child, Memory subject, Memory negative, Memory positive,
                         Pages pages) {
  write_pattern(subject, kSeed);
  protect(subject, PROT_NONE);
  protect(negative, PROT_READ);
  child.declare("prot-none", Role::subject, subject, subject.size());
  child.declare("prot-read", Role::negative, negative, negative.size());
  child.declare_positive(positive, pages);
  child.hold("prot-none");
  protect(subject, PROT_READ);
  child.fact("data_intact", holds_pattern(subject, kSeed) ? 1 : 0);
}

void run_thp(ProbeChild& child) {
  hold_without_rights(child, child.huge_memory(kSubjectBytes), child.huge_memory(kControlBytes),
                      child.huge_memory(kControlBytes), Pages::huge);
}

void run_base(ProbeChild& child) {
  hold_without_rights(child, ProbeChild::base_memory(kSubjectBytes),
                      ProbeChild::base_memory(kControlBytes),
                      ProbeChild::base_memory(kControlBytes), Pages::base);
}

/// Collapsing may be refused for a moment only, with EAGAIN or EBUSY: pages on a CPU's list.
bool collapse(Memory memory) {
  constexpr int kAttempts = 20;
  constexpr useconds_t kPauseMicroseconds = 50000;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    if (::madvise(memory.data(), memory.size(), kMadvCollapse) == 0) return true;
    if (errno != EAGAIN && errno != EBUSY) return false;
    ::usleep(kPauseMicroseconds);
  }
  return false;
}

/// A shared mapping of huge pages of shmem, or ends the child as skipped.
Memory huge_shmem(ProbeChild& child, std::size_t bytes) {
  const Memory memory = map_guarded(bytes, Pages::huge);
  const int file = ::memfd_create("probe-shmem", MFD_CLOEXEC);
  if (file < 0 || ::ftruncate(file, static_cast<off_t>(bytes)) != 0) die("memfd_create");
  if (::mmap(memory.data(), bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0) ==
      MAP_FAILED) {
    die("mmap of shmem");
  }
  ::close(file);
  advise(memory, MADV_HUGEPAGE);
  touch_write(memory);
  if (!collapse(memory)) {
    child.skip(errno == EINVAL ? "shmem of huge pages needs MADV_COLLAPSE (Linux 6.1)"
                               : std::string{"the kernel made no huge pages of shmem: "} +
                                     std::strerror(errno));
  }
  // Collapsing leaves the page tables empty: whoever is mapped huge comes by one fault.
  if (!fill_with_huge_pages(memory) && faults_of_touching(memory, kPageBytes) != 0) {
    child.skip("the kernel did not map huge pages of shmem");
  }
  return memory;
}

void run_shmem(ProbeChild& child) {
  const Memory subject = huge_shmem(child, kSubjectBytes);
  const Memory negative = huge_shmem(child, kControlBytes);
  const Memory positive = ProbeChild::base_memory(kControlBytes);
  hold_without_rights(child, subject, negative, positive, Pages::base);
}

Answer judge(const Trial& trial) {
  return with_data_check(trial, judge_residency(trial, "prot-none"));
}

Answer judge_thp(const Trial& trial) {
  Answer answer = judge(trial);
  if (answer.outcome == Outcome::pass) {
    answer.defects = {{"K01", false, "huge pages under PROT_NONE are counted"}};
  }
  return answer;
}

/// Beside K01: does pagemap mark the huge pages of a file as such?
Answer judge_shmem(const Trial& trial) {
  Answer answer = judge(trial);
  const Observation* const seen = trial.find("prot-none");
  if (seen == nullptr || broken_instrument(*seen)) return answer;
  for (std::size_t i = 0; i < seen->truths.size(); ++i) {
    if (seen->truths[i].name != "prot-read") continue;
    const RegionMeasure& measure = seen->measures[i];
    if (measure.smaps.bytes(SmapsField::shmem_pmd_mapped) != seen->truths[i].resident_bytes) {
      if (answer.outcome == Outcome::fail) return answer;
      return inconclusive("the control is not mapped by huge pages");
    }
    const bool marked = measure.file_bytes == seen->truths[i].resident_bytes;
    const std::string reason = "pagemap marks " + kib_text(measure.file_bytes) + " of " +
                               kib_text(seen->truths[i].resident_bytes) +
                               " of shmem as pages of a file";
    answer.defects.push_back({"K10", !marked, reason});
    if (!marked && answer.outcome == Outcome::pass) {
      answer.outcome = Outcome::fail;
      answer.reason = reason;
    }
  }
  return answer;
}

}  // namespace

const Probe kProtnoneThp{.name = "protnone-thp",
                         .question = "Are huge pages under mprotect(PROT_NONE) still counted?",
                         .needs = "transparent huge pages",
                         .cost = "24 MiB, 0.3 s",
                         .tier = Tier::instant,
                         .run = run_thp,
                         .judge = judge_thp};

const Probe kProtnoneBase{.name = "protnone-base",
                          .question = "Are 4 KiB pages under mprotect(PROT_NONE) still counted?",
                          .needs = "nothing",
                          .cost = "24 MiB, 0.3 s",
                          .tier = Tier::instant,
                          .run = run_base,
                          .judge = judge};

const Probe kProtnoneShmem{
    .name = "protnone-shmem",
    .question = "Are huge pages of shmem under mprotect(PROT_NONE) still counted?",
    .needs = "MADV_COLLAPSE (Linux 6.1)",
    .cost = "24 MiB, 0.3 s",
    .tier = Tier::instant,
    .run = run_shmem,
    .judge = judge_shmem};

}  // namespace smaps_audit::probes
