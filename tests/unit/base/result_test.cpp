// SPDX-License-Identifier: Apache-2.0
#include "base/result.h"

#include <gtest/gtest.h>

#include <memory>

namespace smaps_audit {
namespace {

Error some_error() { return Error{.code = ErrorCode::malformed, .what = "bad"}; }

TEST(Result, HoldsAValue) {
  const Result<int> result = 5;
  ASSERT_TRUE(result.ok());
  EXPECT_TRUE(static_cast<bool>(result));
  EXPECT_EQ(*result, 5);
}

TEST(Result, HoldsAnError) {
  const Result<int> result = some_error();
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, ErrorCode::malformed);
  EXPECT_EQ(result.error().what, "bad");
}

TEST(Result, GivesAwayWhatCannotBeCopied) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(7);
  const std::unique_ptr<int> taken = *std::move(result);
  EXPECT_EQ(*taken, 7);
}

TEST(Result, FallsBackOnlyInCaseOfAnError) {
  EXPECT_EQ(Result<int>{5}.value_or(6), 5);
  EXPECT_EQ(Result<int>{some_error()}.value_or(6), 6);
}

TEST(Result, ReachesTheMembersOfItsValue) {
  Result<std::string> result = std::string{"abc"};
  EXPECT_EQ(result->size(), 3u);
}

TEST(Result, CannotBeEmpty) { static_assert(!std::is_default_constructible_v<Result<int>>); }

}  // namespace
}  // namespace smaps_audit
