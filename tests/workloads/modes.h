// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

/// The modes of `workload`; each declares its truth, holds, and returns the exit status.
namespace smaps_audit::workloads {

// quiet_modes.cpp: single-threaded once declared.
int run_hinted_thp(std::uint64_t mib);          ///< (a) NUMA-hinted THP
int run_hinted_thp_partial(std::uint64_t mib);  ///< (b) the same, a third touched back
int run_protnone_thp(std::uint64_t mib);        ///< (c) THP under mprotect(PROT_NONE)
int run_hinted_base(std::uint64_t mib);         ///< (f) NUMA-hinted 4 KiB pages
int run_plain(std::uint64_t mib);               ///< (h) anonymous, THP, file and shmem pages
int run_protnone_self(std::uint64_t mib);       ///< does this kernel lose THP under PROT_NONE?
int run_many_vmas(std::uint64_t vmas);          ///< one touched page each
int run_big_4k(std::uint64_t mib);              ///< 4 KiB pages

// odd_modes.cpp: likewise; some have a child, or sleeping threads.
int run_hinted_thp_shared(std::uint64_t mib);  ///< (d) NUMA-hinted THP, mapped by a child too
int run_protnone_shmem(std::uint64_t mib);     ///< (e) shmem THP under mprotect(PROT_NONE)
int run_partly_shared_thp(std::uint64_t mib);  ///< THP of which a child maps every second half
int run_device_copy(std::uint64_t pages);      ///< private copies of pages of /dev/mem (K07)
int run_poisoned(std::uint64_t pages);         ///< MADV_HWPOISON on half of them (K08)
int run_many_faulters(std::uint64_t threads);  ///< each has touched 60 pages and sleeps (K05)

// execve_mode.cpp: a thread sleeps inside an execve, before anything of it is done.
int run_stuck_in_execve(std::uint64_t arguments);  ///< of 100 kB each, in RssAnon alone

// busy_modes.cpp: threads run until told to stop.
int run_rollup_contention(std::uint64_t vmas);  ///< (g) three threads mmap and munmap
int run_merciless(std::uint64_t mib);           ///< (c) beside eight threads that fault and unmap
int run_liubo(std::uint64_t mib);               ///< touches its THP at random, now and then

}  // namespace smaps_audit::workloads
