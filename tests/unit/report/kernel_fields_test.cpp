// SPDX-License-Identifier: Apache-2.0
#include "report/kernel_fields.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "audit/checks.h"
#include "parsers/smaps.h"

namespace smaps_audit {
namespace {

bool is_told_of(std::string_view file, std::string_view name) {
  const auto fields = kernel_fields();
  return std::any_of(fields.begin(), fields.end(), [&](const KernelField& field) {
    return field.file == file && field.name == name;
  });
}

TEST(KernelFields, CoverEveryFieldOfSmapsAndItsRollup) {
  const std::set<SmapsField> rollup_only{SmapsField::pss_anon, SmapsField::pss_file,
                                         SmapsField::pss_shmem};
  const std::set<SmapsField> mapping_only{SmapsField::size, SmapsField::kernel_page_size,
                                          SmapsField::mmu_page_size};
  for (std::size_t i = 0; i < kSmapsFieldCount; ++i) {
    const auto field = static_cast<SmapsField>(i);
    const std::string_view name = smaps_field_name(field);
    EXPECT_TRUE(rollup_only.contains(field) || is_told_of("smaps", name)) << name;
    EXPECT_TRUE(mapping_only.contains(field) || is_told_of("smaps_rollup", name)) << name;
  }
}

TEST(KernelFields, AreUniqueAndNameOnlyChecksThatExist) {
  std::set<std::string> ids;
  for (const KernelField& field : kernel_fields()) {
    const std::string id = std::string{field.file} + "." + std::string{field.name};
    EXPECT_TRUE(ids.insert(id).second) << id;
    EXPECT_TRUE(field.meaning.ends_with('.')) << id;
    EXPECT_FALSE(field.judged.empty()) << id;
    std::string_view rest = field.checks;
    while (!rest.empty()) {
      const std::string_view check = rest.substr(0, rest.find(' '));
      rest.remove_prefix(std::min(rest.size(), check.size() + 1));
      EXPECT_NE(find_check(check), nullptr) << id << ": " << check;
    }
  }
}

}  // namespace
}  // namespace smaps_audit
