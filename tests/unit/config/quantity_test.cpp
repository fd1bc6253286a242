// SPDX-License-Identifier: Apache-2.0
#include "config/quantity.h"

#include <gtest/gtest.h>

#include <limits>

namespace smaps_audit {
namespace {

using std::chrono::nanoseconds;

TEST(Duration, HasAUnit) {
  EXPECT_EQ(*parse_duration("7ns"), nanoseconds(7));
  EXPECT_EQ(*parse_duration("7us"), std::chrono::microseconds(7));
  EXPECT_EQ(*parse_duration("10ms"), std::chrono::milliseconds(10));
  EXPECT_EQ(*parse_duration("15s"), std::chrono::seconds(15));
  EXPECT_EQ(*parse_duration("3m"), std::chrono::minutes(3));
  EXPECT_EQ(*parse_duration("4h"), std::chrono::hours(4));
  EXPECT_EQ(*parse_duration("1d"), std::chrono::hours(24));
  EXPECT_EQ(*parse_duration("0s"), nanoseconds(0));
}

TEST(Duration, RefusesAllElse) {
  for (const char* const text : {"", "s", "15", "15 s", " 15s", "15s ", "-1s", "+1s", "1.5s",
                                 "1e3s", "15S", "15sec", "1h30m", "0x10s"}) {
    const auto parsed = parse_duration(text);
    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_EQ(parsed.error().code, ErrorCode::usage);
  }
}

TEST(Duration, ThatDoesNotFitIsAnError) {
  EXPECT_EQ(*parse_duration("9223372036854775807ns"), nanoseconds::max());
  EXPECT_FALSE(parse_duration("9223372036854775808ns").ok());
  EXPECT_FALSE(parse_duration("106752d").ok());
  EXPECT_FALSE(parse_duration("99999999999999999999s").ok());
}

TEST(Duration, IsWrittenInItsLargestWholeUnit) {
  EXPECT_EQ(duration_text(nanoseconds(0)), "0s");
  EXPECT_EQ(duration_text(std::chrono::seconds(15)), "15s");
  EXPECT_EQ(duration_text(std::chrono::seconds(60)), "1m");
  EXPECT_EQ(duration_text(std::chrono::seconds(90)), "90s");
  EXPECT_EQ(duration_text(std::chrono::hours(48)), "2d");
  EXPECT_EQ(duration_text(nanoseconds(1'500'000)), "1500us");
  EXPECT_EQ(*parse_duration(duration_text(nanoseconds::max())), nanoseconds::max());
}

TEST(Size, HasABinaryUnit) {
  EXPECT_EQ(*parse_size("0B"), 0U);
  EXPECT_EQ(*parse_size("3KiB"), 3072U);
  EXPECT_EQ(*parse_size("64MiB"), 64U << 20U);
  EXPECT_EQ(*parse_size("2GiB"), std::uint64_t{2} << 30U);
  EXPECT_EQ(*parse_size("1TiB"), std::uint64_t{1} << 40U);
  EXPECT_EQ(*parse_size("18446744073709551615B"), std::numeric_limits<std::uint64_t>::max());
}

TEST(Size, RefusesAllElse) {
  for (const char* const text : {"", "64", "64MB", "64M", "64 MiB", "64mib", "MiB", "1.5GiB",
                                 "16777216TiB", "18446744073709551616B"}) {
    EXPECT_FALSE(parse_size(text).ok()) << text;
  }
}

TEST(Size, IsWrittenInItsLargestWholeUnit) {
  EXPECT_EQ(size_text(0), "0B");
  EXPECT_EQ(size_text(1023), "1023B");
  EXPECT_EQ(size_text(1536), "1536B");
  EXPECT_EQ(size_text(std::uint64_t{256} << 20U), "256MiB");
  EXPECT_EQ(size_text(std::uint64_t{1} << 40U), "1TiB");
}

}  // namespace
}  // namespace smaps_audit
