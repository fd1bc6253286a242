// SPDX-License-Identifier: Apache-2.0
#include "parsers/smaps.h"

#include <gtest/gtest.h>

#include "samples.h"

namespace smaps_audit {
namespace {

using samples::kRollup;
using samples::kStackRecord;
using samples::kVsyscallRecord;
using samples::problem_of;
using samples::problem_without_excerpt;
using samples::with;

const std::string kTwoRecords = std::string{kStackRecord} + std::string{kVsyscallRecord};

SmapsRecord only_record(const std::string& text) {
  auto smaps = parse_smaps(text);
  EXPECT_TRUE(smaps.ok()) << problem_of(smaps);
  if (!smaps || smaps->records.size() != 1) return {};
  SmapsRecord record = smaps->records.front();
  record.header.name = {};  // it points into a text that is gone
  return record;
}

TEST(SmapsParser, ReadsEveryFieldOfARecord) {
  const SmapsRecord record = only_record(std::string{kStackRecord});
  const std::pair<SmapsField, std::uint64_t> kib[] = {
      {SmapsField::size, 136},
      {SmapsField::kernel_page_size, 4},
      {SmapsField::mmu_page_size, 4},
      {SmapsField::rss, 24},
      {SmapsField::pss, 20},
      {SmapsField::pss_dirty, 16},
      {SmapsField::shared_clean, 1},
      {SmapsField::shared_dirty, 2},
      {SmapsField::private_clean, 3},
      {SmapsField::private_dirty, 18},
      {SmapsField::referenced, 23},
      {SmapsField::anonymous, 22},
      {SmapsField::ksm, 5},
      {SmapsField::lazy_free, 6},
      {SmapsField::anon_huge_pages, 7},
      {SmapsField::shmem_pmd_mapped, 8},
      {SmapsField::file_pmd_mapped, 9},
      {SmapsField::shared_hugetlb, 10},
      {SmapsField::private_hugetlb, 11},
      {SmapsField::swap, 12},
      {SmapsField::swap_pss, 13},
      {SmapsField::locked, 14},
  };
  for (const auto& [field, value] : kib) {
    EXPECT_EQ(record.values.bytes(field), value * 1024) << smaps_field_name(field);
  }
  EXPECT_EQ(record.thp_eligible, true);
  EXPECT_EQ(record.protection_key, 3u);
  EXPECT_TRUE(record.has_vm_flags);
  EXPECT_TRUE(record.flags.has(VmFlag::grows_down));
  EXPECT_EQ(record.unknown_fields, 0u);
}

TEST(SmapsParser, TellsAbsentFromZero) {
  const SmapsRecord record = only_record(std::string{kVsyscallRecord});
  EXPECT_EQ(record.values.bytes(SmapsField::rss), 0u);
  EXPECT_FALSE(record.values.bytes(SmapsField::ksm).has_value());
  EXPECT_FALSE(record.values.bytes(SmapsField::pss_anon).has_value());
  EXPECT_FALSE(record.protection_key.has_value());
  EXPECT_EQ(record.thp_eligible, false);
}

TEST(SmapsParser, ReadsRecordsInOrder) {
  const auto smaps = parse_smaps(kTwoRecords);
  ASSERT_TRUE(smaps.ok()) << problem_of(smaps);
  ASSERT_EQ(smaps->records.size(), 2u);
  EXPECT_EQ(smaps->records[0].header.name, "[stack]");
  EXPECT_EQ(smaps->records[1].header.name, "[vsyscall]");
  EXPECT_TRUE(smaps->records[1].header.executable);
  EXPECT_EQ(smaps->records[1].values.bytes(SmapsField::size), 4096u);
}

TEST(SmapsParser, AcceptsNoVma) {
  const auto smaps = parse_smaps("");
  ASSERT_TRUE(smaps.ok());
  EXPECT_TRUE(smaps->records.empty());
}

TEST(SmapsParser, AcceptsFieldsInAnyOrder) {
  const SmapsRecord record =
      only_record("1000-2000 rw-p 00000000 00:00 0 \nVmFlags: ht\nLocked: 1 kB\nRss: 2 kB\n");
  EXPECT_EQ(record.values.bytes(SmapsField::locked), 1024u);
  EXPECT_EQ(record.values.bytes(SmapsField::rss), 2048u);
  EXPECT_TRUE(record.flags.has(VmFlag::hugetlb));
}

TEST(SmapsParser, KeepsTheNameOfAFileThatLooksLikeAField) {
  const std::string text =
      with(kStackRecord, "[stack]", "/Rss:                 999 kB\\012Pss: 1 kB");
  const auto smaps = parse_smaps(text);
  ASSERT_TRUE(smaps.ok()) << problem_of(smaps);
  EXPECT_EQ(smaps->records[0].header.name, "/Rss:                 999 kB\\012Pss: 1 kB");
  EXPECT_EQ(smaps->records[0].values.bytes(SmapsField::rss), 24u * 1024);
}

TEST(SmapsParser, KeepsAndCountsUnknownFieldsAndFlags) {
  const std::string text = with(kStackRecord, "Locked:", "Rss_New:   7 pages\nZ9:\nLocked:") +
                           with(kVsyscallRecord, "VmFlags: ex ", "Rss_New: 1\nVmFlags: ex ?? zz ");
  const auto smaps = parse_smaps(text);
  ASSERT_TRUE(smaps.ok()) << problem_of(smaps);
  EXPECT_EQ(smaps->records[0].unknown_fields, 2u);
  EXPECT_EQ(smaps->records[1].unknown_fields, 1u);
  EXPECT_EQ(smaps->unknown_fields, 3u);
  EXPECT_EQ(smaps->unknown_flags, 2u);
  EXPECT_EQ(smaps->records[0].values.bytes(SmapsField::locked), 14u * 1024);
}

TEST(SmapsParser, TellsAKeyFromOneThatItStartsWith) {
  const SmapsRecord record =
      only_record("1000-2000 rw-p 00000000 00:00 0 \nPs: 1 kB\nPssx: 1 kB\n");
  EXPECT_EQ(record.unknown_fields, 2u);
  EXPECT_FALSE(record.values.has(SmapsField::pss));
}

TEST(SmapsParser, ReadsTheLargestValueThatFits) {
  const SmapsRecord record =
      only_record("1000-2000 rw-p 00000000 00:00 0 \nRss: 18014398509481983 kB\n");
  EXPECT_EQ(record.values.bytes(SmapsField::rss), UINT64_MAX / 1024 * 1024);
}

TEST(SmapsParser, RejectsAValueThatIsNoNumberOfKib) {
  for (const char* const value :
       {"18014398509481984 kB", "99999999999999999999 kB", "24", "24 KB", "24 kB ", "24  kB", "kB",
        " kB", "-1 kB", "+1 kB", "0x18 kB", "2 4 kB", "24 MB", "", "24 kBx"}) {
    const std::string line = "Rss:                  " + std::string{value};
    EXPECT_EQ(problem_of(parse_smaps(with(kStackRecord, "Rss:                  24 kB", line))),
              "malformed:5: the value of the field is not a number of kB that fits 64 bits: \"" +
                  line + "\"");
  }
}

TEST(SmapsParser, RejectsAFieldThatStandsTwice) {
  for (const char* const line :
       {"Rss: 24 kB", "THPeligible: 1", "ProtectionKey: 3", "VmFlags: rd"}) {
    EXPECT_EQ(problem_of(parse_smaps(std::string{kStackRecord} + line + "\n")),
              "malformed:27: the field stands twice in a record: \"" + std::string{line} + "\"");
  }
}

TEST(SmapsParser, RejectsAThpEligibleBeyondOne) {
  EXPECT_EQ(
      problem_of(parse_smaps(with(kStackRecord, "THPeligible:           1", "THPeligible: 2"))),
      "malformed:24: the value of the field is neither 0 nor 1: \"THPeligible: 2\"");
}

TEST(SmapsParser, RejectsAProtectionKeyThatIsNoNumber) {
  EXPECT_EQ(problem_of(
                parse_smaps(with(kStackRecord, "ProtectionKey:         3", "ProtectionKey: 3 kB"))),
            "malformed:25: the value of the field is not a number: \"ProtectionKey: 3 kB\"");
}

TEST(SmapsParser, RejectsAFieldBeforeAnyHeader) {
  EXPECT_EQ(problem_of(parse_smaps("Rss: 1 kB\n")),
            "malformed:1: the line stands before any header of a VMA: \"Rss: 1 kB\"");
}

TEST(SmapsParser, RejectsALineThatIsNeitherHeaderNorField) {
  for (const char* const line : {"", "Rss", "R ss: 1 kB", ": 1 kB", "Rss\t: 1 kB", "\xff: 1 kB"}) {
    const auto smaps = parse_smaps(std::string{kStackRecord} + line + "\n");
    EXPECT_EQ(problem_without_excerpt(smaps),
              "malformed:27: the line is neither the header of a VMA nor a field")
        << line;
  }
}

TEST(SmapsParser, RejectsAHeaderThatIsWrongWithItsLine) {
  EXPECT_EQ(problem_of(parse_smaps(std::string{kStackRecord} + "3000-2000 rw-p 0 00:00 0 \n")),
            "malformed:27: the address range of a VMA is empty or reversed: "
            "\"3000-2000 rw-p 0 00:00 0 \"");
}

TEST(SmapsParser, RejectsARecordWithoutFields) {
  const std::string header = "1000-2000 rw-p 00000000 00:00 0 \n";
  EXPECT_EQ(problem_without_excerpt(parse_smaps(header + std::string{kStackRecord})),
            "malformed:2: the record of a VMA has no field");
}

TEST(SmapsParser, RejectsATextThatEndsBehindAHeader) {
  EXPECT_EQ(problem_of(parse_smaps(kTwoRecords + "1000-2000 rw-p 00000000 00:00 0 \n")),
            "truncated:51: the record of a VMA has no field: "
            "\"1000-2000 rw-p 00000000 00:00 0 \"");
}

TEST(SmapsParser, RejectsALastRecordWithoutVmFlagsWhereOthersHaveThem) {
  EXPECT_EQ(problem_of(parse_smaps(with(kTwoRecords, "VmFlags: ex \n", ""))),
            "truncated:49: the record of a VMA lacks VmFlags, which the one before it has: "
            "\"THPeligible:           0\"");
}

TEST(SmapsParser, RejectsARecordAmongOthersWithoutVmFlags) {
  const std::string text = with(kTwoRecords, "VmFlags: ex \n", "") + std::string{kStackRecord};
  EXPECT_EQ(problem_without_excerpt(parse_smaps(text)),
            "malformed:50: the record of a VMA lacks VmFlags, which the one before it has");
}

TEST(SmapsParser, RejectsALineThatIsCut) {
  EXPECT_EQ(problem_of(parse_smaps(kStackRecord.substr(0, kStackRecord.size() - 1))),
            "truncated:26: the text ends within a line: \"VmFlags: rd wr mr mw me gd ac \"");
}

TEST(SmapsFieldNames, AreThoseOfTheKernel) {
  EXPECT_EQ(smaps_field_name(SmapsField::size), "Size");
  EXPECT_EQ(smaps_field_name(SmapsField::pss_shmem), "Pss_Shmem");
  EXPECT_EQ(smaps_field_name(SmapsField::private_hugetlb), "Private_Hugetlb");
  EXPECT_EQ(smaps_field_name(SmapsField::locked), "Locked");
}

TEST(RollupParser, ReadsItsOwnFields) {
  const auto rollup = parse_smaps_rollup(kRollup);
  ASSERT_TRUE(rollup.ok()) << problem_of(rollup);
  EXPECT_EQ(rollup->header.name, "[rollup]");
  EXPECT_EQ(rollup->values.bytes(SmapsField::rss), 1732u * 1024);
  EXPECT_EQ(rollup->values.bytes(SmapsField::pss_anon), 115u * 1024);
  EXPECT_EQ(rollup->values.bytes(SmapsField::pss_file), 302u * 1024);
  EXPECT_EQ(rollup->values.bytes(SmapsField::pss_shmem), 1024u);
  EXPECT_FALSE(rollup->values.has(SmapsField::size));
  EXPECT_FALSE(rollup->has_vm_flags);
  EXPECT_EQ(rollup->unknown_fields, 0u);
}

TEST(RollupParser, RejectsAnEmptyText) {
  EXPECT_EQ(problem_of(parse_smaps_rollup("")), "truncated:1: the text is empty: \"\"");
}

TEST(RollupParser, RejectsAHeaderAlone) {
  EXPECT_EQ(problem_of(parse_smaps_rollup("1000-2000 ---p 00000000 00:00 0  [rollup]\n")),
            "truncated:1: the rollup has no field: \"1000-2000 ---p 00000000 00:00 0  [rollup]\"");
}

TEST(RollupParser, RejectsARecordOfSmaps) {
  EXPECT_EQ(problem_without_excerpt(parse_smaps_rollup(kStackRecord)),
            "malformed:1: the first line is not the header of a rollup");
}

TEST(RollupParser, RejectsASecondHeader) {
  EXPECT_EQ(
      problem_without_excerpt(parse_smaps_rollup(std::string{kRollup} + std::string{kRollup})),
      "malformed:24: the line is neither the header of a VMA nor a field");
}

TEST(RollupParser, RejectsAFieldThatStandsTwice) {
  EXPECT_EQ(problem_of(parse_smaps_rollup(std::string{kRollup} + "Pss_Anon: 1 kB\n")),
            "malformed:24: the field stands twice in a record: \"Pss_Anon: 1 kB\"");
}

TEST(RollupParser, RejectsALineThatIsCut) {
  EXPECT_EQ(problem_without_excerpt(parse_smaps_rollup(kRollup.substr(0, 100))),
            "truncated:2: the text ends within a line");
}

}  // namespace
}  // namespace smaps_audit
