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

// busy_modes.cpp: threads run until told to stop.
int run_rollup_contention(std::uint64_t vmas);  ///< (g) three threads mmap and munmap
int run_merciless(std::uint64_t mib);           ///< (c) beside eight threads that fault and unmap
int run_liubo(std::uint64_t mib);               ///< touches its THP at random, now and then

}  // namespace smaps_audit::workloads
