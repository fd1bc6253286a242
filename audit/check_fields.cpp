// SPDX-License-Identifier: Apache-2.0
// The checks that relate single fields: rows of one kind differ in their relation and exceptions.
#include "audit/check_fields.h"

#include <array>

namespace smaps_audit {
namespace {

constexpr CheckText of_record(std::string_view id, std::string_view relation,
                              std::string_view exceptions) {
  return {.id = id,
          .relation = relation,
          .witnesses = "smaps, smaps_rollup.",
          .without = "Relations whose fields this kernel lacks are not asked.",
          .exceptions = exceptions,
          .confirmed =
              "The record breaks it in every read of a series: one snapshot under one "
              "lock, so no race explains it."};
}

constexpr CheckText of_status(std::string_view id, std::string_view relation,
                              std::string_view exceptions) {
  return {.id = id,
          .relation = relation,
          .witnesses = "status, statm.",
          .without = "Nothing is said.",
          .exceptions = exceptions,
          .confirmed =
              "Every read breaks it: the numbers of one read, or both files of a sleeping "
              "process."};
}

constexpr CheckText of_sleeper(std::string_view id, std::string_view relation,
                               std::string_view exceptions) {
  return {.id = id,
          .relation = relation,
          .witnesses = "smaps, smaps_rollup, numa_maps, status.",
          .without = "Relations whose witness is missing are not asked.",
          .exceptions = exceptions,
          .confirmed =
              "24 reads of a sleeping process: all of one lie on the same side of all of "
              "the other."};
}

constexpr std::array kFieldChecks{
    of_status("I1.rss_parts", "Within one read of status VmRSS = RssAnon + RssFile + RssShmem.",
              "None."),
    of_status("I1.hwm", "Within one read of status VmRSS <= VmHWM.",
              "A high-water mark of the past has no witness: only from below it is contradicted."),
    of_status("I1.peak", "Within one read of status VmSize <= VmPeak.", "As I1.hwm."),
    of_status("I1.statm_parts", "Within one read of statm shared <= resident.", "None."),
    of_status("I1.statm_resident", "resident of statm is VmRSS of status.",
              "Compared only while the process sleeps."),
    of_status("I1.statm_shared", "shared of statm is RssFile + RssShmem of status.",
              "Compared only while the process sleeps."),
    of_status("I1.statm_size", "size of statm is VmSize of status.",
              "Compared only while the process sleeps."),
    of_record("I2.size", "Size is the end of the mapping minus its start.",
              "Hugetlb mappings are not asked."),
    of_record("I2.rss_parts", "Rss = Shared_Clean + Shared_Dirty + Private_Clean + Private_Dirty.",
              "Hugetlb mappings: none of their numbers is resident memory."),
    of_record("I2.rss", "Rss <= Size.",
              "Hugetlb mappings: none of their numbers is resident memory."),
    of_record("I2.pss", "Pss <= Rss.",
              "Hugetlb mappings: none of their numbers is resident memory."),
    of_record(
        "I2.pss_private",
        "Private_Clean + Private_Dirty <= Pss; of the rollup and of mappings of files only what "
        "exceeds Rss - Anonymous.",
        "A kernel with CONFIG_NO_PAGE_MAPCOUNT calls a page of a file that one process maps "
        "twice private and halves its Pss: hence only the anonymous part there."),
    of_record("I2.pss_shared",
              "Pss <= Private_Clean + Private_Dirty + (Shared_Clean + Shared_Dirty) / 2, of all "
              "mappings together.",
              "Asked where a child of our own shows that mapcounts are kept page by page. Entries "
              "without a page may be shared and whole from 6.11 on: they widen it."),
    of_record("I2.pss_dirty", "Pss_Dirty <= Pss.", "Kernels before 6.0 have no Pss_Dirty."),
    of_record("I2.pss_dirty_parts", "Pss_Dirty <= Shared_Dirty + Private_Dirty.",
              "Kernels before 6.0 have no Pss_Dirty."),
    of_record(
        "I2.pss_dirty_private",
        "Private_Dirty <= Pss_Dirty; of the rollup and of mappings of files only what exceeds "
        "Rss - Anonymous.",
        "As I2.pss_private."),
    of_record("I2.pss_clean_parts", "Pss - Pss_Dirty <= Shared_Clean + Private_Clean.",
              "Kernels before 6.0 have no Pss_Dirty."),
    of_record("I2.pss_classes", "Pss = Pss_Anon + Pss_File + Pss_Shmem, up to 2 kB.",
              "Only the rollup has the three."),
    of_record("I2.pss_anon", "Pss_Anon <= Anonymous.", "Only the rollup has Pss_Anon."),
    of_record("I2.pss_file", "Pss_File + Pss_Shmem <= Rss - Anonymous.",
              "Only the rollup has the two."),
    of_record("I2.referenced", "Referenced <= Rss.",
              "Hugetlb mappings: none of their numbers is resident memory."),
    of_record("I2.anonymous", "Anonymous <= Rss.",
              "Hugetlb mappings: none of their numbers is resident memory."),
    of_record("I2.ksm", "KSM <= Anonymous.", "Kernels before 6.6 have no KSM."),
    of_record("I2.lazy_free", "LazyFree <= Anonymous.",
              "LazyFree lags behind what was freed: no lower bound is asked."),
    of_record("I2.anon_huge", "AnonHugePages <= Anonymous.",
              "Hugetlb mappings: none of their numbers is resident memory."),
    of_record("I2.file_huge", "ShmemPmdMapped + FilePmdMapped <= Rss - Anonymous.",
              "Hugetlb mappings: none of their numbers is resident memory."),
    of_record(
        "I2.pmd_multiple",
        "AnonHugePages, ShmemPmdMapped and FilePmdMapped are multiples of the huge page.",
        "The size is hpage_pmd_size of this host; smaller huge pages (mTHP) are in none of the "
        "three."),
    of_record("I2.hugetlb", "Shared_Hugetlb and Private_Hugetlb are 0 where VmFlags lack ht.",
              "The rollup has no VmFlags: there only I3 is asked."),
    of_record("I2.swap", "Rss + Swap <= Size of a private mapping without a file.",
              "Mappings of files: the Swap of shmem is the object's, which may be larger than the "
              "mapping and is counted once more for its private copies."),
    of_record("I2.swap_pss", "SwapPss <= Swap.",
              "Hugetlb mappings: none of their numbers is resident memory."),
    of_record(
        "I2.locked",
        "Locked is Pss where VmFlags say lo and 0 where they don't; of the rollup at most Pss.",
        "Hugetlb mappings: none of their numbers is resident memory."),
    of_sleeper(
        "I4.anon", "RssAnon of status is Anonymous of smaps and of its rollup.",
        "The counters' own bound, both ways (docs/kernel.md). Poisoned pages are in smaps "
        "alone, private copies in device mappings up to 6.1 in the counter alone (K07). Asked "
        "of a sleeping process: status is always read last."),
    of_sleeper("I4.file",
               "RssFile + RssShmem of status is Rss - Anonymous of smaps and of its rollup.",
               "As I4.anon. The two are added because smaps does not tell file from shmem."),
    of_sleeper("I5.swap", "VmSwap of status is Swap over all mappings that cannot be shmem.",
               "The Swap of mappings of files may be shmem's, which no counter has: it widens the "
               "interval downwards. The counters' bound; device mappings."),
    of_sleeper("I5.swap_pss", "SwapPss of the rollup <= VmSwap of status.", "The counters' bound."),
    of_sleeper(
        "I6.anon",
        "For each mapping and in all anon= of numa_maps is Anonymous of smaps and of its rollup.",
        "As I6: entries without a page are in smaps alone and widen the interval; reserved "
        "pages and devices are not compared. Asked of a sleeping process."),
    of_sleeper("I6.dirty",
               "For each mapping and in all dirty= of numa_maps is Shared_Dirty + Private_Dirty of "
               "smaps.",
               "As I6.anon; writeback cleans pages in between."),
};

}  // namespace

std::span<const CheckText> field_checks() { return kFieldChecks; }

}  // namespace smaps_audit
