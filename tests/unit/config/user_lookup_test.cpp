// SPDX-License-Identifier: Apache-2.0
#include "config/user_lookup.h"

#include <gtest/gtest.h>

namespace smaps_audit {
namespace {

TEST(UserLookup, FindsNamesAndTakesNumbersAsTheyAre) {
  EXPECT_EQ(find_user("root"), 0U);
  EXPECT_EQ(find_user("4294967294"), 4294967294U);
  EXPECT_EQ(find_user("no such user"), std::nullopt);
  EXPECT_EQ(find_user(""), std::nullopt);
  EXPECT_EQ(find_user("4294967296"), std::nullopt);
}

}  // namespace
}  // namespace smaps_audit
