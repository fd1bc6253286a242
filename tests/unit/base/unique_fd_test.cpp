// SPDX-License-Identifier: Apache-2.0
#include "base/unique_fd.h"

#include <fcntl.h>
#include <gtest/gtest.h>

namespace smaps_audit {
namespace {

int open_null() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }
bool is_open(int fd) { return ::fcntl(fd, F_GETFD) != -1; }

TEST(UniqueFd, ClosesAtTheEndOfItsLife) {
  const int fd = open_null();
  {
    const UniqueFd owner(fd);
    EXPECT_TRUE(static_cast<bool>(owner));
    EXPECT_EQ(owner.get(), fd);
    EXPECT_TRUE(is_open(fd));
  }
  EXPECT_FALSE(is_open(fd));
}

TEST(UniqueFd, OwnsNothingAtFirst) {
  const UniqueFd owner;
  EXPECT_FALSE(static_cast<bool>(owner));
  EXPECT_EQ(owner.get(), -1);
}

TEST(UniqueFd, HandsItsDescriptorOn) {
  const int fd = open_null();
  UniqueFd first(fd);
  const UniqueFd second(std::move(first));
  EXPECT_FALSE(static_cast<bool>(first));  // NOLINT(bugprone-use-after-move): that is the question
  EXPECT_EQ(second.get(), fd);
  EXPECT_TRUE(is_open(fd));
}

TEST(UniqueFd, ClosesWhatItHeldWhenItIsGivenAnother) {
  const int first_fd = open_null();
  const int second_fd = open_null();
  {
    UniqueFd first(first_fd);
    first = UniqueFd(second_fd);
    EXPECT_EQ(first.get(), second_fd);
    EXPECT_FALSE(is_open(first_fd));
  }
  EXPECT_FALSE(is_open(second_fd));
}

TEST(UniqueFd, ClosesOnce) {
  UniqueFd owner(open_null());
  owner.reset();
  EXPECT_FALSE(static_cast<bool>(owner));
  owner.reset();
}

}  // namespace
}  // namespace smaps_audit
