// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "report/report.h"

namespace smaps_audit::samples {

inline constexpr std::uint64_t kMiB = 1048576;

/// 64 MiB of THP under mprotect(PROT_NONE) on 6.1: K01, by smaps and smaps_rollup.
ProcessReport k01_by_mprotect();
/// The same by NUMA balancing, many VMAs, inexact, smaps_rollup with K03 beside it, one note.
ProcessReport k01_by_hints_with_many_vmas();
/// A rollup that skips VMAs.
ProcessReport k03();
/// Two witnesses contradict each other and nothing decides.
ProcessReport undecided_pair();
/// Too much Rss; no known defect.
ProcessReport unknown_excess();
ProcessReport consistent();
/// Right, with K05 and K09 beside it.
ProcessReport consistent_with_notes();
ProcessReport inconclusive();
ProcessReport denied();
ProcessReport vanished();
ProcessReport kernel_thread();

/// Of the host (I13, a deficit) and of a cgroup (I14, an excess).
HostNote host_note();
HostNote cgroup_note();

AuditReport report_of(std::vector<ProcessReport> processes);
/// 2 000 processes: a few findings, some inconclusive, many denied, the rest consistent.
AuditReport whole_host();

}  // namespace smaps_audit::samples
