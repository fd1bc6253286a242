// SPDX-License-Identifier: Apache-2.0
#include "base/parse_int.h"

#include <gtest/gtest.h>

namespace smaps_audit {
namespace {

TEST(ParseUnsigned, ReadsWholeNumbers) {
  EXPECT_EQ(parse_unsigned("0"), 0u);
  EXPECT_EQ(parse_unsigned("007"), 7u);
  EXPECT_EQ(parse_unsigned("18446744073709551615"), UINT64_MAX);
  EXPECT_EQ(parse_unsigned("7f1c2a000000", 16), 0x7f1c2a000000u);
  EXPECT_EQ(parse_unsigned("ffffffffffffffff", 16), UINT64_MAX);
}

TEST(ParseUnsigned, RejectsWhatDoesNotFit) {
  EXPECT_FALSE(parse_unsigned("18446744073709551616").has_value());
  EXPECT_FALSE(parse_unsigned("10000000000000000", 16).has_value());
}

TEST(ParseUnsigned, RejectsEverythingButDigits) {
  for (const char* const text :
       {"", " 1", "1 ", "+1", "-1", "-0", "1x", "x", "0x1", "1.5", "1\n"}) {
    EXPECT_FALSE(parse_unsigned(text).has_value()) << text;
  }
  EXPECT_FALSE(parse_unsigned("0x10", 16).has_value());
  EXPECT_FALSE(parse_unsigned("8", 8).has_value());
  EXPECT_FALSE(parse_unsigned(std::string_view{}).has_value());
  EXPECT_FALSE(parse_unsigned(std::string_view("1\0", 2)).has_value());
}

TEST(ParseSigned, ReadsBothSigns) {
  EXPECT_EQ(parse_signed("5"), 5);
  EXPECT_EQ(parse_signed("-9223372036854775808"), INT64_MIN);
  EXPECT_EQ(parse_signed("9223372036854775807"), INT64_MAX);
}

TEST(ParseSigned, RejectsEverythingElse) {
  for (const char* const text :
       {"", "-", "+1", " 1", "1 ", "--1", "9223372036854775808", "-9223372036854775809"}) {
    EXPECT_FALSE(parse_signed(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace smaps_audit
