// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

/// Texts as Linux 6.18.44 wrote them (trailing blanks included, as escapes where an editor would
/// strip them), and small tools to make wrong ones out of them.
namespace smaps_audit::samples {

inline constexpr std::string_view kStackRecord =
    "7ffd3d7c2000-7ffd3d7e4000 rw-p 00000000 00:00 0                          [stack]\n"
    "Size:                136 kB\n"
    "KernelPageSize:        4 kB\n"
    "MMUPageSize:           4 kB\n"
    "Rss:                  24 kB\n"
    "Pss:                  20 kB\n"
    "Pss_Dirty:            16 kB\n"
    "Shared_Clean:          1 kB\n"
    "Shared_Dirty:          2 kB\n"
    "Private_Clean:         3 kB\n"
    "Private_Dirty:        18 kB\n"
    "Referenced:           23 kB\n"
    "Anonymous:            22 kB\n"
    "KSM:                   5 kB\n"
    "LazyFree:              6 kB\n"
    "AnonHugePages:         7 kB\n"
    "ShmemPmdMapped:        8 kB\n"
    "FilePmdMapped:         9 kB\n"
    "Shared_Hugetlb:       10 kB\n"
    "Private_Hugetlb:      11 kB\n"
    "Swap:                 12 kB\n"
    "SwapPss:              13 kB\n"
    "Locked:               14 kB\n"
    "THPeligible:           1\n"
    "ProtectionKey:         3\n"
    "VmFlags: rd wr mr mw me gd ac \n";

/// The gate VMA as 6.1 writes it: no KSM, no ProtectionKey.
inline constexpr std::string_view kVsyscallRecord =
    "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n"
    "Size:                  4 kB\n"
    "KernelPageSize:        4 kB\n"
    "MMUPageSize:           4 kB\n"
    "Rss:                   0 kB\n"
    "Pss:                   0 kB\n"
    "Pss_Dirty:             0 kB\n"
    "Shared_Clean:          0 kB\n"
    "Shared_Dirty:          0 kB\n"
    "Private_Clean:         0 kB\n"
    "Private_Dirty:         0 kB\n"
    "Referenced:            0 kB\n"
    "Anonymous:             0 kB\n"
    "LazyFree:              0 kB\n"
    "AnonHugePages:         0 kB\n"
    "ShmemPmdMapped:        0 kB\n"
    "FilePmdMapped:         0 kB\n"
    "Shared_Hugetlb:        0 kB\n"
    "Private_Hugetlb:       0 kB\n"
    "Swap:                  0 kB\n"
    "SwapPss:               0 kB\n"
    "Locked:                0 kB\n"
    "THPeligible:           0\n"
    "VmFlags: ex \n";

inline constexpr std::string_view kRollup =
    "561a12790000-7fffa66ff000 ---p 00000000 00:00 0                          [rollup]\n"
    "Rss:                1732 kB\n"
    "Pss:                 418 kB\n"
    "Pss_Dirty:           116 kB\n"
    "Pss_Anon:            115 kB\n"
    "Pss_File:            302 kB\n"
    "Pss_Shmem:             1 kB\n"
    "Shared_Clean:       1548 kB\n"
    "Shared_Dirty:          0 kB\n"
    "Private_Clean:        68 kB\n"
    "Private_Dirty:       116 kB\n"
    "Referenced:         1732 kB\n"
    "Anonymous:           116 kB\n"
    "KSM:                   0 kB\n"
    "LazyFree:              0 kB\n"
    "AnonHugePages:         0 kB\n"
    "ShmemPmdMapped:        0 kB\n"
    "FilePmdMapped:         0 kB\n"
    "Shared_Hugetlb:        0 kB\n"
    "Private_Hugetlb:       0 kB\n"
    "Swap:                  0 kB\n"
    "SwapPss:               0 kB\n"
    "Locked:                0 kB\n";

inline constexpr std::string_view kNumaMaps =
    "55c8dbb64000 default file=/usr/bin/head mapped=2 N0=2 kernelpagesize_kB=4\n"
    "55c8dbb6f000 default file=/usr/bin/head anon=1 dirty=1 active=0 N0=1 kernelpagesize_kB=4\n"
    "55c8f57c5000 default heap anon=4 dirty=4 active=0 N0=4 kernelpagesize_kB=4\n"
    "7fb5d3863000 default file=/usr/lib/locale/C.utf8/LC_CTYPE mapped=32 mapmax=10 N0=32 "
    "kernelpagesize_kB=4\n"
    "7fb5d38ba000 bind=balancing:0-1 anon=16384 dirty=16380 swapcache=3 writeback=2 N0=16000 "
    "N1=384 kernelpagesize_kB=4\n"
    "7fb5d4000000 default file=/anon_hugepage\\040(deleted) huge anon=2 dirty=2 N0=2 "
    "kernelpagesize_kB=2048\n"
    "7fffa66de000 default stack anon=3 dirty=3 active=0 N0=3 kernelpagesize_kB=4\n"
    "7fffa66fb000 default\n";

inline constexpr std::string_view kStat =
    "5132 (cat) R 5129 5129 3334 0 -1 4194304 100 7 3 0 0 0 0 0 20 0 1 0 106566 3133440 360 "
    "18446744073709551615 94648835096576 94648835116457 140732916264448 0 0 0 0 0 0 0 0 0 17 1 0 0 "
    "0 0 0 94648835132464 94648835134080 94649697214464 140732916271557 140732916271577 "
    "140732916271577 140732916273131 0\n";

inline constexpr std::string_view kKernelThreadStat =
    "2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 24 0 0 18446744073709551615 0 0 0 "
    "0 "
    "0 0 0 2147483647 0 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n";

inline constexpr std::string_view kStatus =
    "Name:\tcat\nUmask:\t0022\nState:\tR (running)\nTgid:\t5134\nNgid:\t0\nPid:\t5135\n"
    "PPid:\t5129\nTracerPid:\t0\nUid:\t1000\t1001\t1002\t1003\nGid:\t0\t0\t0\t0\nFDSize:\t256\n"
    "Groups:\t \nNStgid:\t5134\nNSpid:\t5134\nNSpgid:\t5129\nNSsid:\t3334\nKthread:\t0\n"
    "VmPeak:\t    3060 kB\nVmSize:\t    3056 kB\nVmLck:\t       0 kB\nVmPin:\t       0 kB\n"
    "VmHWM:\t    1780 kB\nVmRSS:\t    1776 kB\nRssAnon:\t     112 kB\nRssFile:\t    1660 kB\n"
    "RssShmem:\t       4 kB\nVmData:\t     360 kB\nVmStk:\t     132 kB\nVmExe:\t      20 kB\n"
    "VmLib:\t    1528 kB\nVmPTE:\t      44 kB\nVmSwap:\t       8 kB\nHugetlbPages:\t    2048 kB\n"
    "CoreDumping:\t0\nTHP_enabled:\t1\nuntag_mask:\t0xffffffffffffffff\nThreads:\t3\n"
    "SigQ:\t0/96365\nSigPnd:\t0000000000000000\nShdPnd:\t0000000000000000\n"
    "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\nSigCgt:\t0000000000000000\n"
    "CapInh:\t0000000000000000\nCapPrm:\t000001fffeffffff\nCapEff:\t000001fffeffffff\n"
    "CapBnd:\t000001fffeffffff\nCapAmb:\t0000000000000000\nNoNewPrivs:\t0\nSeccomp:\t0\n"
    "Seccomp_filters:\t0\nSpeculation_Store_Bypass:\tvulnerable\n"
    "SpeculationIndirectBranch:\talways enabled\nCpus_allowed:\t3\nCpus_allowed_list:\t0-1\n"
    "Mems_allowed:\t00000001\nMems_allowed_list:\t0\nvoluntary_ctxt_switches:\t11\n"
    "nonvoluntary_ctxt_switches:\t12\n";

/// Shortened: a kernel thread has none of the lines from VmPeak to untag_mask.
inline constexpr std::string_view kKernelThreadStatus =
    "Name:\tkthreadd\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t2\nNgid:\t0\nPid:\t2\nPPid:\t0\n"
    "TracerPid:\t0\nUid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nFDSize:\t64\nGroups:\t \nKthread:\t1\n"
    "Threads:\t1\nSigQ:\t0/96365\nvoluntary_ctxt_switches:\t62\nnonvoluntary_ctxt_switches:\t0\n";

inline constexpr std::string_view kVmstat =
    "nr_free_pages 3841152\nnuma_hit 1497620\nnuma_pte_updates 21\nnuma_huge_pte_updates 0\n"
    "numa_hint_faults 22\nnuma_hint_faults_local 0\nthp_fault_alloc 23\nthp_fault_fallback 0\n"
    "thp_collapse_alloc 24\nthp_collapse_alloc_failed 25\nthp_file_alloc 0\nthp_file_mapped 26\n"
    "nr_unstable 0\n";

/// `text` with its first `from` replaced by `to`. A `from` that is not there breaks the test.
inline std::string with(std::string_view text, std::string_view from, std::string_view to) {
  std::string changed{text};
  const std::size_t at = changed.find(from);
  if (at == std::string::npos) return "the sample does not hold: " + std::string{from};
  return changed.replace(at, from.size(), to);
}

/// "<code word>:<line>: <what>", short enough to compare in one EXPECT_EQ.
template <class T>
std::string problem_of(const Result<T>& result) {
  if (result) return "no error";
  std::string text = result.error().code == ErrorCode::malformed   ? "malformed"
                     : result.error().code == ErrorCode::truncated ? "truncated"
                                                                   : "another code";
  if (result.error().line) text += ":" + std::to_string(*result.error().line);
  return text + ": " + result.error().what;
}

/// The same without the excerpt that follows.
template <class T>
std::string problem_without_excerpt(const Result<T>& result) {
  const std::string text = problem_of(result);
  return text.substr(0, text.find(": \""));
}

}  // namespace smaps_audit::samples
