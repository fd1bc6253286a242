// SPDX-License-Identifier: Apache-2.0
#include "audit/checks.h"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "audit/check_fields.h"

namespace smaps_audit {
namespace {

constexpr std::array kChecks{
    CheckText{.id = "I1",
              .relation =
                  "Within one read of status its fields fit each other, and statm tells the "
                  "same: the checks I1.* one by one.",
              .witnesses = "status, statm.",
              .without = "Nothing is said.",
              .exceptions = "statm is a read of its own: compared only while the process sleeps.",
              .confirmed = "Every read breaks it: the numbers of one read, or both files of a "
                           "sleeping process."},
    CheckText{.id = "I2",
              .relation = "Within one record of smaps or smaps_rollup the fields fit each other: "
                          "the checks I2.* one by one.",
              .witnesses = "smaps, smaps_rollup.",
              .without = "Relations whose fields this kernel lacks are not asked.",
              .exceptions = "hugetlb mappings, whose fields count other memory.",
              .confirmed = "The record breaks it in every read of a series: one snapshot under one "
                           "lock, so no race explains it."},
    CheckText{
        .id = "I3",
        .relation = "smaps_rollup is the sum of smaps, field by field, and its Rss is what the "
                    "page walk finds in all mappings together.",
        .witnesses = "smaps_rollup, smaps, pagemap.",
        .without = "Without smaps_rollup nothing is said.",
        .exceptions = "Pss, Pss_Dirty, SwapPss and Locked are rounded down for each mapping.",
        .confirmed = "Rss: as I7, over the whole address space; K03 also where up to 16 of 48 "
                     "reads were right. Other fields: all reads of one lie above all of the "
                     "other."},
    CheckText{.id = "I4",
              .relation = "VmRSS of status is what the page walk finds in all mappings together; "
                          "counter by counter: the checks I4.*.",
              .witnesses = "status, pagemap, smaps.",
              .without = "Without pagemap nothing is said.",
              .exceptions = "The counters may be off by a bound (docs/kernel.md §2) unless a child "
                            "of our own shows them to be exact; private copies in device mappings "
                            "(K07); hugetlb is in neither. An execve charges the arguments of the "
                            "program to come: too much is said of sleepers outside of one only.",
              .confirmed =
                  "Every read of a series lies outside the walk's interval widened by that "
                  "bound."},
    CheckText{.id = "I5",
              .relation =
                  "Swap of smaps and SwapPss of its rollup fit VmSwap of status: the checks "
                  "I5.* one by one.",
              .witnesses = "status, smaps, smaps_rollup.",
              .without = "Nothing is said.",
              .exceptions = "The Swap of shmem is in no counter; compared only while the process "
                            "sleeps.",
              .confirmed = "24 reads of a sleeping process."},
    CheckText{
        .id = "I6",
        .relation = "For each mapping the pages of numa_maps are Rss; anon= and dirty=: the checks "
                    "I6.*.",
        .witnesses = "numa_maps, smaps, pagemap.",
        .without = "Without CONFIG_NUMA nothing is said, and K01 is reported without its name.",
        .exceptions = "[vdso] and other reserved pages, hugetlb (other unit), device memory, "
                      "pages that are being migrated.",
        .confirmed = "24 reads: a migration hides pages from numa_maps now and then."},
    CheckText{.id = "I7",
              .relation = "For each mapping Rss is what pagemap shows as present, without zero "
                          "pages.",
              .witnesses = "smaps, pagemap (or PAGEMAP_SCAN).",
              .without = "Without pagemap the process is denied. Without page frame numbers and "
                         "PAGEMAP_SCAN shared pages are only possible: the interval is wider.",
              .exceptions = "Device mappings, hugetlb, [vsyscall]; migration, device and "
                            "poisoned entries count as Rss and are not present.",
              .confirmed =
                  "24 steps in coin order with random pauses; the first step that fits ends "
                  "it."},
    CheckText{.id = "I8",
              .relation = "VmSize of status is the sum of Size over smaps.",
              .witnesses = "status, smaps.",
              .without = "Nothing is said.",
              .exceptions = "[vsyscall]; compared only while the process sleeps.",
              .confirmed = "Every read of a series over a sleeping process."},
    CheckText{
        .id = "I10",
        .relation = "pagemap calls a page exclusive exactly where kpagecount says that it is "
                    "mapped once.",
        .witnesses = "pagemap, kpagecount.",
        .without = "Without page frame numbers nothing is said.",
        .exceptions = "Never more than a note: no Rss depends on it. Other processes change both "
                      "numbers at any time.",
        .confirmed = "Both walks around a record show pages of one huge mapping as exclusive and "
                     "as mapped at least twice (K09)."},
    CheckText{
        .id = "I11",
        .relation = "Pss is the sum over all pages of their size divided by how many page tables "
                    "map them.",
        .witnesses = "smaps, pagemap, kpagecount.",
        .without = "Without kpagecount pages that are not exclusive add between nothing and half "
                   "of themselves, pages that a PMD maps anything.",
        .exceptions = "What a mapping adds is rounded down to a kB. Other processes change the "
                      "share of a page without a trace in this one.",
        .confirmed = "Told only beside an Rss finding in the same mapping that names a defect: the "
                     "same snapshot lacks the pages and their shares."},
    CheckText{.id = "I12",
              .relation = "PAGEMAP_SCAN and plain reads of pagemap show the same pages.",
              .witnesses = "PAGEMAP_SCAN (6.7), pagemap.",
              .without = "Before 6.7 nothing is said.",
              .exceptions = "Userfaultfd markers count as swapped in both; guards as nothing, "
                            "where the kernel tells them.",
              .confirmed =
                  "As I7; asked of mappings under suspicion and in captures, where both are "
                  "read."},
    CheckText{
        .id = "I13",
        .relation = "Pss_Anon of all processes together is AnonPages of meminfo; Pss_File and "
                    "Pss_Shmem together are at most Mapped; AnonHugePages together are at "
                    "least AnonHugePages of meminfo, and FileHugePages is at most MemTotal.",
        .witnesses = "meminfo, smaps_rollup of every process; only with --all.",
        .without = "Nothing is said unless every thread that the kernel counts belongs to a "
                   "process that could be read.",
        .exceptions = "What CPUs keep to themselves, rounding, and 1/64 of the counter, at "
                      "least 32 MiB, for processes that are ending and drivers that hold an "
                      "address space.",
        .confirmed = "24 looks over 3 s at random moments, each process between the least and "
                     "the most that it ever said; the first that fits ends it. A note, never "
                     "a finding."},
    CheckText{.id = "I14",
              .relation = "anon of a cgroup's memory.stat is at most Pss_Anon of all processes "
                          "together, and at least that of its members less what is charged "
                          "elsewhere.",
              .witnesses = "memory.stat, meminfo, smaps_rollup of every process; only with "
                           "--cgroup.",
              .without = "As I13; and nothing is said where the cgroup has no memory.stat.",
              .exceptions = "Pages stay charged where they were first touched, whoever maps them "
                            "now: what others have, and what is charged elsewhere, counts as "
                            "possible. Else as I13.",
              .confirmed = "As I13; memory.stat may be 2 s old. A note, never a finding."},
};

}  // namespace

/// The fields of a check stand behind it.
std::span<const CheckText> check_texts() {
  static const std::vector<CheckText> kAll = [] {
    std::vector<CheckText> all;
    for (const CheckText& check : kChecks) {
      all.push_back(check);
      const std::string family = std::string{check.id} + ".";
      for (const CheckText& field : field_checks()) {
        if (field.id.starts_with(family)) all.push_back(field);
      }
    }
    return all;
  }();
  return kAll;
}

const CheckText* find_check(std::string_view id) {
  const std::span<const CheckText> all = check_texts();
  const auto found =
      std::find_if(all.begin(), all.end(), [id](const CheckText& row) { return row.id == id; });
  return found == all.end() ? nullptr : &*found;
}

}  // namespace smaps_audit
