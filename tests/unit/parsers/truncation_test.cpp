// SPDX-License-Identifier: Apache-2.0
// A cut text must be an error, or give fewer values: never another value.
#include <gtest/gtest.h>

#include "parsers/numa_maps.h"
#include "parsers/proc_stat.h"
#include "parsers/proc_status.h"
#include "parsers/smaps.h"
#include "parsers/vmstat.h"
#include "samples.h"

namespace smaps_audit {
namespace {

using samples::problem_of;

/// Whether `cut` is absent or the same as `whole`.
template <class T>
bool subset(const std::optional<T>& cut, const std::optional<T>& whole) {
  return !cut.has_value() || cut == whole;
}

void expect_subset(const SmapsRecord& cut, const SmapsRecord& whole) {
  EXPECT_EQ(cut.header.start, whole.header.start);
  EXPECT_EQ(cut.header.end, whole.header.end);
  EXPECT_EQ(cut.header.name, whole.header.name);
  for (std::size_t i = 0; i < kSmapsFieldCount; ++i) {
    const auto field = static_cast<SmapsField>(i);
    EXPECT_TRUE(subset(cut.values.bytes(field), whole.values.bytes(field)))
        << smaps_field_name(field);
  }
  EXPECT_TRUE(subset(cut.thp_eligible, whole.thp_eligible));
  EXPECT_TRUE(subset(cut.protection_key, whole.protection_key));
  if (cut.has_vm_flags) {
    EXPECT_EQ(cut.flags.known, whole.flags.known);
    EXPECT_EQ(cut.flags.unknown, whole.flags.unknown);
  }
}

TEST(Truncation, OfSmapsGivesAnErrorOrFewerRecords) {
  const std::string text = std::string{samples::kVsyscallRecord} +
                           std::string{samples::kStackRecord} +
                           std::string{samples::kVsyscallRecord};
  const auto whole = parse_smaps(text);
  ASSERT_TRUE(whole.ok()) << problem_of(whole);
  std::size_t accepted_behind_the_first = 0;
  for (std::size_t size = 0; size < text.size(); ++size) {
    const auto cut = parse_smaps(std::string_view{text}.substr(0, size));
    if (!cut) {
      EXPECT_EQ(cut.error().code, ErrorCode::truncated) << problem_of(cut);
      continue;
    }
    ASSERT_TRUE(size == 0 || text[size - 1] == '\n') << size;
    for (std::size_t i = 0; i < cut->records.size(); ++i) {
      expect_subset(cut->records[i], whole->records[i]);
    }
    if (size > samples::kVsyscallRecord.size()) ++accepted_behind_the_first;
  }
  EXPECT_EQ(accepted_behind_the_first, 1u) << "only the end of the second record is a whole text";
}

TEST(Truncation, OfARollupGivesAnErrorOrFewerFields) {
  const auto whole = parse_smaps_rollup(samples::kRollup);
  ASSERT_TRUE(whole.ok());
  for (std::size_t size = 0; size < samples::kRollup.size(); ++size) {
    const auto cut = parse_smaps_rollup(samples::kRollup.substr(0, size));
    if (cut) {
      expect_subset(*cut, *whole);
    } else {
      EXPECT_EQ(cut.error().code, ErrorCode::truncated) << problem_of(cut);
    }
  }
}

TEST(Truncation, OfMapsGivesAnErrorOrFewerVmas) {
  const std::string text =
      "1000-2000 r--p 00000000 fe:00 7   /a b (deleted)\n2000-4000 rw-p 00000000 00:00 0 \n";
  for (std::size_t size = 0; size < text.size(); ++size) {
    const auto cut = parse_maps(std::string_view{text}.substr(0, size));
    if (cut && size > 0) {
      ASSERT_EQ(cut->size(), 1u) << size;
      EXPECT_EQ(cut->front().name, "/a b (deleted)");
    } else if (!cut) {
      EXPECT_EQ(cut.error().code, ErrorCode::truncated) << problem_of(cut);
    }
  }
}

TEST(Truncation, OfNumaMapsGivesAnErrorOrFewerRecords) {
  const auto whole = parse_numa_maps(samples::kNumaMaps);
  ASSERT_TRUE(whole.ok());
  for (std::size_t size = 0; size < samples::kNumaMaps.size(); ++size) {
    const auto cut = parse_numa_maps(samples::kNumaMaps.substr(0, size));
    if (!cut) {
      EXPECT_EQ(cut.error().code, ErrorCode::truncated) << problem_of(cut);
      continue;
    }
    ASSERT_LE(cut->records.size(), whole->records.size());
    for (std::size_t i = 0; i < cut->records.size(); ++i) {
      EXPECT_EQ(cut->records[i].start, whole->records[i].start);
      EXPECT_EQ(cut->records[i].policy, whole->records[i].policy);
      EXPECT_EQ(cut->records[i].file, whole->records[i].file);
      EXPECT_EQ(cut->records[i].total_pages, whole->records[i].total_pages);
      EXPECT_EQ(cut->records[i].kernel_page_bytes, whole->records[i].kernel_page_bytes);
    }
  }
}

TEST(Truncation, OfStatIsAlwaysAnError) {
  const std::string text = samples::with(samples::kStat, "cat", "a) R 1 2 (b\n3) S");
  ASSERT_TRUE(parse_proc_stat(text).ok());
  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_FALSE(parse_proc_stat(std::string_view{text}.substr(0, size)).ok()) << size;
  }
}

TEST(Truncation, OfStatmIsAlwaysAnError) {
  const std::string_view text = "765 436 408 5 0 123 0\n";
  for (std::size_t size = 0; size < text.size(); ++size) {
    const auto cut = parse_proc_statm(text.substr(0, size));
    ASSERT_FALSE(cut.ok()) << size;
    EXPECT_EQ(cut.error().code, ErrorCode::truncated);
  }
}

TEST(Truncation, OfStatusGivesAnErrorOrFewerFields) {
  const auto whole = parse_proc_status(samples::kStatus);
  ASSERT_TRUE(whole.ok());
  for (std::size_t size = 0; size < samples::kStatus.size(); ++size) {
    const auto cut = parse_proc_status(samples::kStatus.substr(0, size));
    if (!cut) {
      EXPECT_EQ(cut.error().code, ErrorCode::truncated) << problem_of(cut);
      continue;
    }
    EXPECT_EQ(cut->name, whole->name);
    for (const auto field :
         {&ProcStatus::thread_group_id, &ProcStatus::pid, &ProcStatus::real_uid,
          &ProcStatus::threads, &ProcStatus::vm_size, &ProcStatus::vm_hwm, &ProcStatus::vm_rss,
          &ProcStatus::rss_anon, &ProcStatus::rss_file, &ProcStatus::rss_shmem, &ProcStatus::vm_pte,
          &ProcStatus::vm_swap, &ProcStatus::hugetlb_pages, &ProcStatus::voluntary_switches,
          &ProcStatus::involuntary_switches}) {
      EXPECT_TRUE(subset((*cut).*field, (*whole).*field)) << size;
    }
  }
}

TEST(Truncation, OfVmstatGivesAnErrorOrFewerCounters) {
  const auto whole = parse_vmstat(samples::kVmstat);
  ASSERT_TRUE(whole.ok());
  for (std::size_t size = 0; size < samples::kVmstat.size(); ++size) {
    const auto cut = parse_vmstat(samples::kVmstat.substr(0, size));
    if (!cut) {
      EXPECT_EQ(cut.error().code, ErrorCode::truncated) << problem_of(cut);
      continue;
    }
    EXPECT_TRUE(subset(cut->thp_fault_alloc, whole->thp_fault_alloc));
    EXPECT_TRUE(subset(cut->thp_file_mapped, whole->thp_file_mapped));
    EXPECT_TRUE(subset(cut->thp_collapse_alloc, whole->thp_collapse_alloc));
    EXPECT_TRUE(subset(cut->thp_collapse_alloc_failed, whole->thp_collapse_alloc_failed));
    EXPECT_TRUE(subset(cut->numa_pte_updates, whole->numa_pte_updates));
    EXPECT_TRUE(subset(cut->numa_hint_faults, whole->numa_hint_faults));
  }
}

}  // namespace
}  // namespace smaps_audit
