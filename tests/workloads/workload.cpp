// SPDX-License-Identifier: Apache-2.0
//
// workload MODE [NUMBER]: makes memory whose truth it knows, declares it in one JSON line on stdout
// (truth.h), and stays as it is until a line comes on stdin or stdin is closed; then exits 0.
// 77: the kernel could not be brought into the state (the JSON line says why) · 64: usage · 70: a
// system call failed. `protnone-self` holds nothing: it exits 0 if this kernel counts its memory, 1
// if not.

#include <array>
#include <cstdio>
#include <optional>
#include <span>
#include <string_view>

#include "base/parse_int.h"
#include "tests/workloads/memory.h"
#include "tests/workloads/modes.h"

namespace {

using namespace smaps_audit::workloads;

struct Mode {
  std::string_view name;
  std::uint64_t number;  ///< default of NUMBER
  const char* help;
  int (*run)(std::uint64_t number);
};

constexpr std::array kModes{
    Mode{"hinted-thp", 64, "MiB of THP, NUMA-hinted by the kernel", run_hinted_thp},
    Mode{"hinted-thp-partial", 64, "MiB likewise, a third touched back", run_hinted_thp_partial},
    Mode{"protnone-thp", 64, "MiB of THP under mprotect(PROT_NONE)", run_protnone_thp},
    Mode{"hinted-base", 64, "MiB of 4 KiB pages, NUMA-hinted", run_hinted_base},
    Mode{"rollup-contention", 400, "VMAs beside three threads that map and unmap",
         run_rollup_contention},
    Mode{"plain", 32, "MiB of 4 KiB pages and of THP each; file and shmem pages", run_plain},
    Mode{"hinted-thp-shared", 64, "MiB as hinted-thp, mapped by a child too",
         run_hinted_thp_shared},
    Mode{"protnone-shmem", 32, "MiB of shmem THP under mprotect(PROT_NONE)", run_protnone_shmem},
    Mode{"partly-shared-thp", 16, "MiB of THP, half of each mapped by a child",
         run_partly_shared_thp},
    Mode{"device-copy", 48, "pages of /dev/mem, mapped privately and written to", run_device_copy},
    Mode{"poisoned", 64, "pages, every second with MADV_HWPOISON", run_poisoned},
    Mode{"many-faulters", 32, "threads that touched 60 pages each and sleep", run_many_faulters},
    Mode{"stuck-in-execve", 5, "arguments of 100 kB, copied by an execve that hangs",
         run_stuck_in_execve},
    Mode{"merciless", 64, "MiB as protnone-thp, beside eight threads flat out", run_merciless},
    Mode{"liubo", 256, "MiB of THP, each 2 MiB touched once in 5 s", run_liubo},
    Mode{"protnone-self", 2, "MiB: does this kernel count them?", run_protnone_self},
    Mode{"many-vmas", 20000, "VMAs of one touched page", run_many_vmas},
    Mode{"big-4k", 1024, "MiB of 4 KiB pages", run_big_4k},
};

int usage() {
  std::fputs("usage: workload MODE [NUMBER]\n", stderr);
  for (const Mode& mode : kModes) {
    std::fprintf(stderr, "  %-20s %6llu %s\n", mode.name.data(),
                 static_cast<unsigned long long>(mode.number), mode.help);
  }
  return kExitUsage;
}

}  // namespace

int main(int argc, char** argv) {
  const std::span<char*> words(argv, static_cast<std::size_t>(argc));
  if (words.size() < 2 || words.size() > 3) return usage();
  for (const Mode& mode : kModes) {
    if (mode.name != words[1]) continue;
    if (words.size() == 2) return mode.run(mode.number);
    const std::optional<std::uint64_t> number = smaps_audit::parse_unsigned(words[2]);
    return number && *number > 0 ? mode.run(*number) : usage();
  }
  return usage();
}
