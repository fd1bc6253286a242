// SPDX-License-Identifier: Apache-2.0
#include "base/edit_distance.h"

#include <gtest/gtest.h>

namespace smaps_audit {
namespace {

TEST(EditDistance, CountsLetters) {
  EXPECT_EQ(edit_distance("", ""), 0U);
  EXPECT_EQ(edit_distance("", "abc"), 3U);
  EXPECT_EQ(edit_distance("abc", ""), 3U);
  EXPECT_EQ(edit_distance("interval", "intervall"), 1U);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
}

TEST(EditDistance, AThirdOfTheLettersMayBeOff) {
  EXPECT_TRUE(is_similar("a", "b"));
  EXPECT_TRUE(is_similar("intrval", "interval"));
  EXPECT_FALSE(is_similar("lsiten", "log"));
}

}  // namespace
}  // namespace smaps_audit
