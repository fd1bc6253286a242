// SPDX-License-Identifier: Apache-2.0
#include "base/page_geometry.h"

#include <gtest/gtest.h>

namespace smaps_audit {
namespace {

TEST(PageGeometry, ConvertsBetweenPagesAndBytes) {
  const PageGeometry geometry{.page_bytes = 65536, .pmd_bytes = 536870912};
  EXPECT_EQ(geometry.pages_per_pmd(), 8192u);
  EXPECT_EQ(geometry.pages(131072), 2u);
  EXPECT_EQ(geometry.bytes(3), 196608u);
}

TEST(PageGeometry, IsThatOfX86UnlessToldOtherwise) {
  EXPECT_EQ(PageGeometry{}.pages_per_pmd(), 512u);
}

}  // namespace
}  // namespace smaps_audit
