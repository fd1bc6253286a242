// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <string>

#include "tests/workloads/memory.h"

/// Programs that change their memory as fast and as awkwardly as they can, on a kernel that reports
/// it correctly: an audit that calls one of them a finding cries wolf.
namespace smaps_audit::workloads {

/// What an adversary is called with. It runs until killed or until the time is up.
class Run {
 public:
  using Clock = std::chrono::steady_clock;
  Run(std::string name, Clock::time_point end, Memory deficit = {})
      : name_(std::move(name)), end_(end), deficit_(deficit) {}

  [[nodiscard]] bool over() const { return Clock::now() >= end_; }
  [[nodiscard]] Clock::time_point end() const { return end_; }
  [[nodiscard]] const std::string& name() const { return name_; }

  /// One JSON line, once it is going: {"ready":true,"adversary":"…","pid":first,"pids":[…]};
  /// `pids` are the processes to audit. With a deficit: "deficit":{"start":"7f…","end":"7f…",
  /// "bytes":…} as well, which is what a kernel with K01 leaves out of Rss there.
  void announce(std::initializer_list<pid_t> pids) const;

  /// Instead: {"ready":false,"adversary":"…","why":"…"} and the end (77). This kernel or this
  /// machine lacks what it takes; `why` says what, and `errno_value` in words if it is not 0.
  [[noreturn]] void skip(const char* why, int errno_value = 0) const;

 private:
  std::string name_;
  Clock::time_point end_;
  Memory deficit_;
};

/// Flips random runs of 1–4 pages (present, MADV_DONTNEED) in windows of 512 to 16 384 pages.
void pulse(const Run& run, Memory memory);
inline constexpr std::size_t kPulseBytes = 64 * kMiB;

// adversary_pages.cpp
void run_pulse(const Run& run);
void run_phase_locked(const Run& run);         ///< flips when it feels a reader let go of mmap_lock
void run_phase_locked_bursts(const Run& run);  ///< flips in the pause behind each of its reads
void run_phase_locked_same_cpu(const Run& run);  ///< the same on CPU 0: pin the reader there too
void run_threads_1m(const Run& run);
void run_threads_64m(const Run& run);
void run_threads_64(const Run& run);  ///< sixty-four of them
void run_file_refault(const Run& run);
void run_free_pageout(const Run& run);

// adversary_vmas.cpp
void run_mremap(const Run& run);
void run_vma_churn(const Run& run);
void run_collapse_split(const Run& run);

// adversary_processes.cpp
void run_fork_storm(const Run& run);
void run_exec_exit(const Run& run);
void run_shared_mm_vfork(const Run& run);
void run_shared_mm_clone(const Run& run);
void run_shared_mm_relay(const Run& run);  ///< by processes that each live for a moment

// adversary_uffd.cpp: another process fills, or empties and fills, the target's memory
void run_uffd_copy(const Run& run);
void run_uffd_move(const Run& run);      ///< while the target sleeps
void run_uffd_move_thp(const Run& run);  ///< the same with huge pages

// adversary_outside.cpp: another process works on the target's memory
void run_process_vm_writev(const Run& run);
void run_process_madvise(
    const Run& run);  ///< while the target sleeps: out, and back by a remote read
void run_process_collapse(const Run& run);
void run_ptrace(const Run& run);
void run_migrate_asleep(const Run& run);
void run_migrate_busy(const Run& run);

// adversary_kinds.cpp: memory of other kinds
void run_ksm(const Run& run);
void run_hugetlb(const Run& run);
void run_memfd_secret(const Run& run);
void run_guard_regions(const Run& run);
void run_shmem_truncate(const Run& run);
void run_shmem_thp_truncate(const Run& run);
void run_thp_always(const Run& run);
void run_mthp(const Run& run);

// adversary_pressure.cpp: a memory cgroup of their own, at its limit
void run_memcg_limit(const Run& run);  ///< reclaim of file pages
void run_swap(const Run& run);         ///< anonymous and shared memory to swap and back

// adversary_devices.cpp
void run_io_uring_buffers(const Run& run);
void run_fuse_hang(const Run& run);  ///< a mapped file whose reads hang
void run_fuse_lock(const Run& run);  ///< whose writes hang, with mmap_lock held

// adversary_stress.cpp: `adversary stress NAME` runs stress-ng's stressor of that name; it stands
// on the PATH, or in $STRESS_NG
void run_stress(const Run& run);

/// `adversary tree PID`: the pids of PID's descendants, in one line; of a stressor the workers.
void print_tree(pid_t root);

/// exec-exit's other life: `adversary exec-again END_NS`. Does not return.
[[noreturn]] void exec_again(Run::Clock::time_point end);

}  // namespace smaps_audit::workloads
