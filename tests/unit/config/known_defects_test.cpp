// SPDX-License-Identifier: Apache-2.0
#include "config/known_defects.h"

#include <gtest/gtest.h>

#include <set>

namespace smaps_audit {
namespace {

TEST(KnownDefects, HoldK01WithItsSignature) {
  const KnownDefect* const defect = find_known_defect("K01");
  ASSERT_NE(defect, nullptr);
  EXPECT_EQ(defect->defect_class, DefectClass::finding);
  EXPECT_EQ(defect->signature.granule_bytes, 2097152U);
  EXPECT_EQ(defect->signature.direction, "deficit");
  EXPECT_EQ(defect->signature.interfaces, (std::vector<std::string>{"smaps", "smaps_rollup"}));
  EXPECT_FALSE(defect->signature.varies);
}

TEST(KnownDefects, HoldK03AsVaryingAndOfRollupOnly) {
  const KnownDefect* const defect = find_known_defect("K03");
  ASSERT_NE(defect, nullptr);
  EXPECT_EQ(defect->signature.interfaces, std::vector<std::string>{"smaps_rollup"});
  EXPECT_TRUE(defect->signature.varies);
  EXPECT_TRUE(defect->signature.needs_awake);
}

TEST(KnownDefects, GiveNothingForAnUnknownId) {
  EXPECT_EQ(find_known_defect("K99"), nullptr);
  EXPECT_EQ(find_known_defect(""), nullptr);
}

TEST(KnownDefects, HaveUniqueIdsTitlesAndAdvice) {
  std::set<std::string> ids;
  for (const KnownDefect& defect : known_defects()) {
    EXPECT_TRUE(ids.insert(defect.id).second) << defect.id;
    EXPECT_FALSE(defect.title.empty()) << defect.id;
    EXPECT_LE(defect.title.size(), 62U) << defect.id << ": one line of a report";
    EXPECT_FALSE(defect.what_to_do.empty()) << defect.id;
  }
}

}  // namespace
}  // namespace smaps_audit
