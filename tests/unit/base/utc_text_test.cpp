// SPDX-License-Identifier: Apache-2.0
#include "base/utc_text.h"

#include <gtest/gtest.h>

namespace smaps_audit {
namespace {

constexpr const char* kFormat = "%Y-%m-%d %H:%M:%S";

TEST(UtcText, WritesWholeSecondsInUtc) {
  const std::chrono::nanoseconds when =
      std::chrono::seconds{1795416550} + std::chrono::milliseconds{999};
  EXPECT_EQ(utc_text(when, kFormat), "2026-11-23 06:49:10");
  EXPECT_EQ(utc_text(std::chrono::nanoseconds{-1}, kFormat), "1969-12-31 23:59:59");
}

TEST(UtcText, HasADateForEveryTime) {
  EXPECT_EQ(utc_text(std::chrono::nanoseconds::min(), kFormat), "1677-09-21 00:12:43");
  EXPECT_EQ(utc_text(std::chrono::nanoseconds::max(), kFormat), "2262-04-11 23:47:16");
}

}  // namespace
}  // namespace smaps_audit
