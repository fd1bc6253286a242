// SPDX-License-Identifier: Apache-2.0
// P21 of docs/kernel.md §6: plain memory of every kind. Where this fails, nothing else counts.
#include <numaif.h>
#include <sys/mman.h>
#include <unistd.h>

#include "probes/all_probes.h"
#include "probes/child.h"
#include "probes/judge.h"

namespace smaps_audit::probes {
namespace {

constexpr std::size_t kBytes = 4 * kMiB;
constexpr std::uint64_t kSeed = 5000;

Memory shared_memory(int flags, int file, std::size_t bytes) {
  const Memory memory = map_guarded(bytes, Pages::base);
  if (::mmap(memory.data(), bytes, PROT_READ | PROT_WRITE, flags | MAP_FIXED, file, 0) ==
      MAP_FAILED) {
    die("mmap");
  }
  touch_write(memory);
  return memory;
}

void run(ProbeChild& child) {
  const Memory base = ProbeChild::base_memory(kBytes);
  write_pattern(base, kSeed);
  child.declare("base", Role::subject, base, kBytes);

  const Memory huge = map_guarded(kBytes, Pages::huge);
  if (fill_with_huge_pages(huge)) child.declare("huge", Role::subject, huge, kBytes);

  const Memory read_only = ProbeChild::base_memory(kBytes);
  protect(read_only, PROT_READ);
  child.declare("read-only", Role::subject, read_only, kBytes);

  const Memory local = map_guarded(kBytes, Pages::base);
  if (::mbind(local.data(), kBytes, MPOL_LOCAL, nullptr, 0, 0) == 0) {
    touch_write(local);
    child.declare("local-policy", Role::subject, local, kBytes);
  }

  const int file = ::memfd_create("probe-file", MFD_CLOEXEC);
  if (file < 0 || ::ftruncate(file, static_cast<off_t>(kBytes)) != 0) die("memfd_create");
  child.declare("shared-file", Role::subject, shared_memory(MAP_SHARED, file, kBytes), kBytes);
  child.declare("private-file", Role::subject, shared_memory(MAP_PRIVATE, file, kBytes), kBytes);
  child.declare("shared-anonymous", Role::subject,
                shared_memory(MAP_SHARED | MAP_ANONYMOUS, -1, kBytes), kBytes);
  const Memory untouched = map_guarded(kBytes, Pages::base);
  child.declare("untouched", Role::negative, untouched, 0);
  child.declare_positive(ProbeChild::base_memory(kBytes), Pages::base);
  child.hold("touched");
  child.fact("data_intact", holds_pattern(base, kSeed) ? 1 : 0);
}

Answer judge(const Trial& trial) {
  Answer answer = with_data_check(trial, judge_residency(trial, "touched"));
  answer.expected = "every region as it was touched, by every interface";
  if (answer.outcome == Outcome::pass) answer.observed = "all agree";
  return answer;
}

}  // namespace

const Probe kControl{.name = "control",
                     .question = "Does plain resident memory read the same everywhere?",
                     .needs = "nothing",
                     .cost = "32 MiB, 0.3 s",
                     .tier = Tier::instant,
                     .run = run,
                     .judge = judge};

}  // namespace smaps_audit::probes
