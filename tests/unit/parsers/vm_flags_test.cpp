// SPDX-License-Identifier: Apache-2.0
#include "parsers/vm_flags.h"

#include <gtest/gtest.h>

#include <string>

namespace smaps_audit {
namespace {

TEST(VmFlagsParser, FindsEveryFlagThatARuleDependsOn) {
  const std::pair<const char*, VmFlag> cases[] = {
      {"sh", VmFlag::shared},       {"pf", VmFlag::pfnmap},       {"mm", VmFlag::mixedmap},
      {"ht", VmFlag::hugetlb},      {"io", VmFlag::io},           {"hg", VmFlag::huge_page},
      {"nh", VmFlag::no_huge_page}, {"mg", VmFlag::mergeable},    {"lo", VmFlag::locked},
      {"ac", VmFlag::account},      {"um", VmFlag::uffd_missing}, {"uw", VmFlag::uffd_wp},
      {"ui", VmFlag::uffd_minor},   {"gd", VmFlag::grows_down},   {"nr", VmFlag::no_reserve},
  };
  for (const auto& [mnemonic, flag] : cases) {
    const VmFlags flags = parse_vm_flags(" " + std::string{mnemonic} + " ");
    EXPECT_EQ(flags.known, static_cast<std::uint32_t>(flag)) << mnemonic;
    EXPECT_TRUE(flags.has(flag)) << mnemonic;
    EXPECT_EQ(flags.unknown, 0u) << mnemonic;
  }
}

TEST(VmFlagsParser, NeitherKeepsNorCountsFlagsThatNoRuleDependsOn) {
  const VmFlags flags =
      parse_vm_flags(" rd wr ex mr me ms sr rr dc de lf sf nl ar wf dd sd bt mt ss dp sl gu ur ");
  EXPECT_EQ(flags.known, 0u);
  EXPECT_EQ(flags.unknown, 0u);
}

TEST(VmFlagsParser, CountsUnknownMnemonics) {
  const VmFlags flags = parse_vm_flags(" rd ?? wr zz ht RD x abc ");
  EXPECT_TRUE(flags.has(VmFlag::hugetlb));
  EXPECT_EQ(flags.unknown, 5u);
}

TEST(VmFlagsParser, AcceptsNoFlagAtAll) {
  for (const char* const text : {"", " ", "   "}) {
    const VmFlags flags = parse_vm_flags(text);
    EXPECT_EQ(flags.known, 0u);
    EXPECT_EQ(flags.unknown, 0u);
  }
}

TEST(VmFlagsParser, ReadsBytesBeyondAscii) { EXPECT_EQ(parse_vm_flags(" \xff\xfe ").unknown, 1u); }

}  // namespace
}  // namespace smaps_audit
