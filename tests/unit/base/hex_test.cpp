// SPDX-License-Identifier: Apache-2.0
#include "base/hex.h"

#include <gtest/gtest.h>

namespace smaps_audit {
namespace {

TEST(Hex, WritesAsMapsDoes) {
  EXPECT_EQ(hex(0), "0");
  EXPECT_EQ(hex(0x7ffd1a2b3000), "7ffd1a2b3000");
  EXPECT_EQ(hex(~std::uint64_t{0}), "ffffffffffffffff");
}

}  // namespace
}  // namespace smaps_audit
