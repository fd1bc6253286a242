// SPDX-License-Identifier: Apache-2.0
//
// adversary [--with-deficit N] NAME [SECONDS]: one way to make an audit err, flat out until killed,
// until its parent dies, or for SECONDS. Prints one JSON line with the pids to audit once it is
// going (adversary.h). With a deficit it holds N huge pages under PROT_NONE besides: a kernel with
// K01 leaves them out of Rss.

#include "tests/workloads/adversary.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

#include "base/parse_int.h"

namespace smaps_audit::workloads {
namespace {

std::string json_of(Memory deficit) {
  if (deficit.empty()) return {};
  std::array<char, 128> text{};
  const auto start = reinterpret_cast<std::uintptr_t>(deficit.data());
  const int length = std::snprintf(text.data(), text.size(),
                                   R"(,"deficit":{"start":"%zx","end":"%zx","bytes":%zu})", start,
                                   start + deficit.size(), deficit.size());
  return {text.data(), static_cast<std::size_t>(length)};
}

}  // namespace

void Run::announce(std::initializer_list<pid_t> pids) const {
  std::string list;
  for (const pid_t pid : pids) list += (list.empty() ? "" : ",") + std::to_string(pid);
  const std::string line = "{\"ready\":true,\"adversary\":\"" + name_ +
                           "\",\"pid\":" + std::to_string(*pids.begin()) + ",\"pids\":[" + list +
                           "]" + json_of(deficit_) + "}\n";
  if (std::fputs(line.c_str(), stdout) < 0 || std::fflush(stdout) != 0) die("stdout");
}

void Run::skip(const char* why, int errno_value) const {
  std::string reason = why;
  if (errno_value != 0) reason += std::string(": ") + std::strerror(errno_value);
  const std::string line =
      "{\"ready\":false,\"adversary\":\"" + name_ + "\",\"why\":\"" + reason + "\"}\n";
  if (std::fputs(line.c_str(), stdout) < 0 || std::fflush(stdout) != 0) die("stdout");
  _exit(kExitCannotRun);
}

}  // namespace smaps_audit::workloads

namespace {

using namespace smaps_audit::workloads;

constexpr std::uint64_t kMostHugePages = 512;

struct Adversary {
  std::string_view name;
  void (*run)(const Run& run);
};

constexpr std::array kAdversaries{
    Adversary{"pulse", run_pulse},
    Adversary{"phase-locked", run_phase_locked},
    Adversary{"phase-locked-bursts", run_phase_locked_bursts},
    Adversary{"phase-locked-same-cpu", run_phase_locked_same_cpu},
    Adversary{"mremap", run_mremap},
    Adversary{"vma-churn", run_vma_churn},
    Adversary{"fork-storm", run_fork_storm},
    Adversary{"threads-1m", run_threads_1m},
    Adversary{"threads-64m", run_threads_64m},
    Adversary{"file-refault", run_file_refault},
    Adversary{"collapse-split", run_collapse_split},
    Adversary{"free-pageout", run_free_pageout},
    Adversary{"exec-exit", run_exec_exit},
    Adversary{"shared-mm-vfork", run_shared_mm_vfork},
    Adversary{"shared-mm-clone", run_shared_mm_clone},
    Adversary{"shared-mm-relay", run_shared_mm_relay},
    Adversary{"threads-64", run_threads_64},
    Adversary{"uffd-copy", run_uffd_copy},
    Adversary{"uffd-move", run_uffd_move},
    Adversary{"uffd-move-thp", run_uffd_move_thp},
    Adversary{"process-vm-writev", run_process_vm_writev},
    Adversary{"process-madvise", run_process_madvise},
    Adversary{"process-collapse", run_process_collapse},
    Adversary{"ptrace", run_ptrace},
    Adversary{"migrate-asleep", run_migrate_asleep},
    Adversary{"migrate-busy", run_migrate_busy},
    Adversary{"ksm", run_ksm},
    Adversary{"hugetlb", run_hugetlb},
    Adversary{"memfd-secret", run_memfd_secret},
    Adversary{"guard-regions", run_guard_regions},
    Adversary{"shmem-truncate", run_shmem_truncate},
    Adversary{"shmem-thp-truncate", run_shmem_thp_truncate},
    Adversary{"thp-always", run_thp_always},
    Adversary{"mthp", run_mthp},
    Adversary{"memcg-limit", run_memcg_limit},
    Adversary{"swap", run_swap},
    Adversary{"io-uring-buffers", run_io_uring_buffers},
    Adversary{"fuse-hang", run_fuse_hang},
    Adversary{"fuse-lock", run_fuse_lock},
    Adversary{"stress-vm", run_stress},
    Adversary{"stress-mmap", run_stress},
    Adversary{"stress-madvise", run_stress},
    Adversary{"stress-fork", run_stress},
    Adversary{"stress-userfaultfd", run_stress},
    Adversary{"stress-memfd", run_stress},
    Adversary{"stress-numa", run_stress},
};

Memory hold_deficit(std::uint64_t huge_pages) {
  const Memory memory = map_guarded(huge_pages * kPmdBytes, Pages::huge);
  if (!fill_with_huge_pages(memory)) {
    std::fputs("adversary: the kernel gave no huge pages\n", stderr);
    std::exit(kExitCannotRun);
  }
  protect(memory, PROT_NONE);
  return memory;
}

int usage() {
  std::fputs("usage: adversary [--with-deficit HUGE_PAGES] NAME [SECONDS]\n", stderr);
  for (const Adversary& adversary : kAdversaries) {
    std::fprintf(stderr, "  %s\n", adversary.name.data());
  }
  return kExitUsage;
}

}  // namespace

int main(int argc, char** argv) {
  std::span<char*> words(argv, static_cast<std::size_t>(argc));
  std::uint64_t huge_pages = 0;
  if (words.size() > 2 && std::string_view(words[1]) == "--with-deficit") {
    const std::optional<std::uint64_t> given = smaps_audit::parse_unsigned(words[2]);
    if (!given || *given == 0 || *given > kMostHugePages) return usage();
    huge_pages = *given;
    words = words.subspan(2);
  }
  if (words.size() < 2 || words.size() > 3) return usage();
  std::uint64_t number = 0;
  if (words.size() == 3) {
    const std::optional<std::uint64_t> given = smaps_audit::parse_unsigned(words[2]);
    if (!given || *given == 0) return usage();
    number = *given;
  }
  const std::string_view name = words[1];
  if (name == "tree") {
    print_tree(static_cast<pid_t>(number));
    return 0;
  }
  if (name == "exec-again") {
    const std::chrono::nanoseconds end{static_cast<std::int64_t>(number)};
    exec_again(Run::Clock::time_point(end));
  }
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) die("PR_SET_PDEATHSIG");
  const auto end = number == 0 ? Run::Clock::time_point::max()
                               : Run::Clock::now() + std::chrono::seconds(number);
  for (const Adversary& adversary : kAdversaries) {
    if (adversary.name != name) continue;
    const Memory deficit = huge_pages == 0 ? Memory{} : hold_deficit(huge_pages);
    adversary.run(Run(std::string(name), end, deficit));
    return 0;
  }
  return usage();
}
