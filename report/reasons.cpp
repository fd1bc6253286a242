// SPDX-License-Identifier: Apache-2.0
#include "report/reasons.h"

#include <algorithm>
#include <array>

namespace smaps_audit {
namespace {

constexpr std::array kReasons{
    // inconclusive
    ReasonText{
        "maybe_pages",
        "Pages that may or may not count as resident are enough to hide an error: memory that "
        "is shared after a fork, merged by KSM or swapped, seen without page frame numbers.",
        "CAP_SYS_ADMIN (run as root) shows page frame numbers, which settle most of them."},
    ReasonText{
        "coverage",
        "Some mappings were not covered by both page walks around their record, mostly because "
        "the process mapped and unmapped memory meanwhile.",
        "Repeat it when the process is quieter, or stop it for the audit with --freeze."},
    ReasonText{
        "unstable",
        "A suspicious mapping changed its borders again and again, so that no series of reads "
        "of it could be finished.",
        "Stop the process for the audit with --freeze."},
    ReasonText{"contended",
               "The audit did not get through in the time it was given: the process is large, or "
               "changes its mappings so fast that our reads have to wait.",
               "Give it more time with --deadline, or stop the process with --freeze."},
    ReasonText{"stuck",
               "A read of the process's memory files has not come back long after the deadline: "
               "a thread of it holds the lock of its address space and waits for something that "
               "does not come, such as a page of a network or FUSE file system that hangs.",
               "`cat /proc/PID/task/*/wchan` shows what it waits for; ps and top hang on it as "
               "well as soon as they read its memory files."},
    ReasonText{"series",
               "A suspicion was neither confirmed nor refuted before the audit had to end.",
               "Repeat it, or stop the process for the audit with --freeze."},
    ReasonText{"address_space",
               "A mapping is so large and so empty that walking it by plain reads of pagemap would "
               "cost too much.",
               "Linux 6.7 and later walk such mappings quickly (PAGEMAP_SCAN)."},
    ReasonText{"shared_mm",
               "Another process group uses the same address space (vfork, CLONE_VM), so that the "
               "process was never provably at rest.",
               "Repeat it when the child has called execve or has ended."},
    ReasonText{"read_error",
               "A file of the process could not be read although the process was there.",
               "`smaps-audit doctor` shows what this kernel lets us read."},
    ReasonText{
        "malformed",
        "The kernel wrote something that its format does not allow, and nothing is judged from "
        "a text that is not understood.",
        "Please send a capture: smaps-audit capture PID -o FILE."},
    ReasonText{
        "no_pagemap",
        "This kernel has no smaps or no pagemap (CONFIG_PROC_PAGE_MONITOR), so that there is "
        "nothing to audit or nothing to audit it with.",
        ""},
    // denied
    ReasonText{"permission", "The kernel does not let us read this process.",
               "Run as root, or with CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH."},
    ReasonText{"hidepid",
               "The process is there, but /proc is mounted so that it is hidden from us.",
               "Run as root, or in the group that the mount option gid= names."},
    // vanished
    ReasonText{"gone", "There is no such process (any more).", ""},
    ReasonText{"exited", "The process ended during the audit.", ""},
    ReasonText{"exec", "The process replaced its program (execve) during the audit.", "Repeat it."},
    ReasonText{"identity", "The process that we began with is not the one that we ended with.",
               "Repeat it."},
    // skipped
    ReasonText{"self", "An auditor that audits itself changes what it measures.",
               "Audit it with a second smaps-audit."},
    ReasonText{"kernel_thread", "A kernel thread has no memory of its own.", ""},
    ReasonText{"zombie", "The process has ended and given its memory back already.", ""},
};

}  // namespace

std::span<const ReasonText> reason_texts() { return kReasons; }

const ReasonText* find_reason(std::string_view word) {
  const auto* const found = std::find_if(
      kReasons.begin(), kReasons.end(), [word](const ReasonText& row) { return row.word == word; });
  return found == kReasons.end() ? nullptr : found;
}

}  // namespace smaps_audit
