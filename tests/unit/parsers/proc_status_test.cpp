// SPDX-License-Identifier: Apache-2.0
#include "parsers/proc_status.h"

#include <gtest/gtest.h>

#include "samples.h"

namespace smaps_audit {
namespace {

using samples::kKernelThreadStatus;
using samples::kStatus;
using samples::problem_of;
using samples::problem_without_excerpt;
using samples::with;

ProcStatus must_parse(std::string_view text) {
  const auto status = parse_proc_status(text);
  EXPECT_TRUE(status.ok()) << problem_of(status);
  return status ? *status : ProcStatus{};
}

TEST(ProcStatusParser, ReadsEveryField) {
  const ProcStatus status = must_parse(kStatus);
  EXPECT_EQ(status.name, "cat");
  EXPECT_EQ(status.state, 'R');
  EXPECT_EQ(status.thread_group_id, 5134u);
  EXPECT_EQ(status.pid, 5135u);
  EXPECT_EQ(status.real_uid, 1000u);
  EXPECT_EQ(status.threads, 3u);
  EXPECT_EQ(status.vm_size, 3056u * 1024);
  EXPECT_EQ(status.vm_hwm, 1780u * 1024);
  EXPECT_EQ(status.vm_rss, 1776u * 1024);
  EXPECT_EQ(status.rss_anon, 112u * 1024);
  EXPECT_EQ(status.rss_file, 1660u * 1024);
  EXPECT_EQ(status.rss_shmem, 4u * 1024);
  EXPECT_EQ(status.vm_pte, 44u * 1024);
  EXPECT_EQ(status.vm_swap, 8u * 1024);
  EXPECT_EQ(status.hugetlb_pages, 2048u * 1024);
  EXPECT_EQ(status.voluntary_switches, 11u);
  EXPECT_EQ(status.involuntary_switches, 12u);
  EXPECT_EQ(status.unknown_fields, 0u);
}

TEST(ProcStatusParser, KnowsNoMemoryOfAKernelThread) {
  const ProcStatus status = must_parse(kKernelThreadStatus);
  EXPECT_EQ(status.name, "kthreadd");
  EXPECT_EQ(status.threads, 1u);
  EXPECT_FALSE(status.vm_size.has_value());
  EXPECT_FALSE(status.vm_rss.has_value());
  EXPECT_FALSE(status.vm_swap.has_value());
  EXPECT_FALSE(status.vm_pte.has_value());
}

TEST(ProcStatusParser, KeepsANameThatLooksLikeAField) {
  // The kernel writes "\n" of a name as two bytes, so a name cannot forge a line.
  for (const std::string_view name :
       {std::string_view{"VmRSS:\t1 kB"}, std::string_view{"x\\nVmRSS:\t1 kB"},
        std::string_view{" leading"}, std::string_view{"\tTgid:\t1"}, std::string_view{""},
        std::string_view{"a\\\\b"}, std::string_view{"\xff\x80"}, std::string_view{"Name:\tx"}}) {
    const std::string text = with(kStatus, "cat", name);
    const ProcStatus status = must_parse(text);
    EXPECT_EQ(status.name, name);
    EXPECT_EQ(status.vm_rss, 1776u * 1024);
    EXPECT_EQ(status.thread_group_id, 5134u);
  }
}

TEST(ProcStatusParser, CountsUnknownKeys) {
  EXPECT_EQ(must_parse(std::string{kStatus} + "VmNew:\t1 kB\nVmNew:\tx\n").unknown_fields, 2u);
}

TEST(ProcStatusParser, KnowsTheKeysOfShadowStacks) {
  EXPECT_EQ(must_parse(std::string{kStatus} + "x86_Thread_features:\tshstk \n"
                                              "x86_Thread_features_locked:\t\n")
                .unknown_fields,
            0u);
}

TEST(ProcStatusParser, RejectsASizeThatIsNoNumberOfKib) {
  for (const char* const value : {"1776", "1776 KB", "x kB", " kB", "18014398509481984 kB", ""}) {
    const std::string line = "VmRSS:\t" + std::string{value};
    EXPECT_EQ(problem_of(parse_proc_status(with(kStatus, "VmRSS:\t    1776 kB", line))),
              "malformed:23: the value is not a number of kB that fits 64 bits: \"VmRSS:\\x09" +
                  std::string{value} + "\"");
  }
}

TEST(ProcStatusParser, RejectsANumberThatIsNone) {
  EXPECT_EQ(problem_of(parse_proc_status(with(kStatus, "Threads:\t3", "Threads:\t3x"))),
            "malformed:37: the value is not a number: \"Threads:\\x093x\"");
  EXPECT_EQ(problem_of(parse_proc_status(with(kStatus, "Tgid:\t5134", "Tgid:\t-1"))),
            "malformed:4: the value is not a number: \"Tgid:\\x09-1\"");
}

TEST(ProcStatusParser, RejectsAUidThatIsNone) {
  EXPECT_EQ(problem_of(parse_proc_status(with(kStatus, "Uid:\t1000\t", "Uid:\tx\t"))),
            "malformed:9: the first value is not a number: "
            "\"Uid:\\x09x\\x091001\\x091002\\x091003\"");
}

TEST(ProcStatusParser, RejectsAnEmptyState) {
  EXPECT_EQ(problem_of(parse_proc_status(with(kStatus, "State:\tR (running)", "State:\t"))),
            "malformed:3: the state is empty: \"State:\\x09\"");
}

TEST(ProcStatusParser, RejectsANameWithoutItsTab) {
  EXPECT_EQ(problem_of(parse_proc_status(with(kStatus, "Name:\tcat", "Name:cat"))),
            "malformed:1: no tab follows the key Name: \"Name:cat\"");
}

TEST(ProcStatusParser, RejectsAKeyThatStandsTwice) {
  for (const char* const line : {"VmRSS:\t1 kB", "Umask:\t0022", "Name:\tx"}) {
    EXPECT_EQ(problem_without_excerpt(parse_proc_status(std::string{kStatus} + line + "\n")),
              "malformed:60: the key stands twice");
  }
}

TEST(ProcStatusParser, RejectsALineWithoutKey) {
  for (const char* const line : {"", "VmRSS", ": 1", "Vm RSS: 1 kB"}) {
    EXPECT_EQ(problem_of(parse_proc_status(std::string{kStatus} + line + "\n")),
              "malformed:60: the line has no key: \"" + std::string{line} + "\"");
  }
}

TEST(ProcStatusParser, RejectsATextWithoutName) {
  EXPECT_EQ(problem_of(parse_proc_status("Umask:\t0022\n")),
            "truncated:1: the text has no Name: \"Umask:\\x090022\"");
  EXPECT_EQ(problem_of(parse_proc_status("")), "truncated:1: the text has no Name: \"\"");
}

TEST(ProcStatusParser, RejectsALineThatIsCut) {
  EXPECT_EQ(problem_of(parse_proc_status(kStatus.substr(0, kStatus.size() - 1))),
            "truncated:59: the text ends within a line: \"nonvoluntary_ctxt_switches:\\x0912\"");
}

TEST(ProcStatmParser, ReadsPages) {
  const auto statm = parse_proc_statm("765 436 408 5 0 123 0\n");
  ASSERT_TRUE(statm.ok()) << problem_of(statm);
  EXPECT_EQ(statm->size_pages, 765u);
  EXPECT_EQ(statm->resident_pages, 436u);
  EXPECT_EQ(statm->shared_pages, 408u);
}

TEST(ProcStatmParser, ReadsAKernelThread) { EXPECT_TRUE(parse_proc_statm("0 0 0 0 0 0 0\n").ok()); }

TEST(ProcStatmParser, RejectsTooFewNumbers) {
  EXPECT_EQ(problem_of(parse_proc_statm("765 436 408 5 0 123\n")),
            "truncated:1: statm has fewer than seven numbers: \"765 436 408 5 0 123\"");
}

TEST(ProcStatmParser, RejectsWhatIsNoNumber) {
  for (const char* const text : {"765 x 408 5 0 123 0\n", "765  436 408 5 0 123 0\n",
                                 "765 436 408 5 0 123 0x\n", "765 436 408 5 0 123 0\n\n"}) {
    EXPECT_EQ(problem_without_excerpt(parse_proc_statm(text)),
              "malformed:1: statm is not made of seven numbers")
        << text;
  }
}

TEST(ProcStatmParser, RejectsAnEighthNumber) {
  EXPECT_EQ(problem_of(parse_proc_statm("765 436 408 5 0 123 0 1\n")),
            "malformed:1: something follows the numbers of statm: \"1\"");
}

TEST(ProcStatmParser, RejectsATextWithoutItsLastByte) {
  EXPECT_EQ(problem_of(parse_proc_statm("765 436 408 5 0 123 0")),
            "truncated:1: the text ends within a line: \"765 436 408 5 0 123 0\"");
  EXPECT_EQ(problem_of(parse_proc_statm("")), "truncated:1: the text is empty: \"\"");
}

}  // namespace
}  // namespace smaps_audit
