// SPDX-License-Identifier: Apache-2.0
#include "report/text_layout.h"

#include <gtest/gtest.h>

namespace smaps_audit {
namespace {

TEST(TextLayout, WritesBytesInIecUnits) {
  EXPECT_EQ(bytes_text(0), "0 B");
  EXPECT_EQ(bytes_text(1023), "1023 B");
  EXPECT_EQ(bytes_text(836 * 1024), "836 KiB");
  EXPECT_EQ(bytes_text(1536), "1.5 KiB");
  EXPECT_EQ(bytes_text(1810432), "1.7 MiB");
  EXPECT_EQ(bytes_text(68919296), "65.7 MiB");
  EXPECT_EQ(bytes_text(20ULL << 30U), "20.0 GiB");
  EXPECT_EQ(bytes_text(~std::uint64_t{0}), "16.0 EiB");
}

TEST(TextLayout, RoundsToTheNearestTenth) {
  EXPECT_EQ(bytes_text((10ULL << 20U) + (1ULL << 20U) * 96 / 100), "11.0 MiB");
  EXPECT_EQ(bytes_text((10ULL << 20U) + (1ULL << 20U) * 94 / 100), "10.9 MiB");
}

TEST(TextLayout, WritesAnIntervalOnce) {
  EXPECT_EQ(interval_text({68919296, 68919296}), "65.7 MiB");
  EXPECT_EQ(interval_text({56336384, 68919296}), "53.7 to 65.7 MiB");
  EXPECT_EQ(interval_text({836 * 1024, 68919296}), "836 KiB to 65.7 MiB");
}

TEST(TextLayout, WrapsAtBlanks) {
  EXPECT_EQ(wrap("one two three", 7), (std::vector<std::string>{"one two", "three"}));
  EXPECT_EQ(wrap("", 7), std::vector<std::string>{});
  EXPECT_EQ(wrap("  a  ", 7), std::vector<std::string>{"a"});
  EXPECT_EQ(wrap("abcdefghij", 7), std::vector<std::string>{"abcd..."});
}

TEST(TextLayout, HangsTextUnderItsFirstWord) {
  using Lines = std::vector<std::string>;
  EXPECT_EQ(hanging("K01  ", 5, "one two three four five six", 30),
            (Lines{"K01  one two three four five", "     six"}));
  EXPECT_EQ(hanging("\033[31mK01\033[0m  ", 5, "a b", 80), Lines{"\033[31mK01\033[0m  a b"});
  EXPECT_EQ(hanging("K01  ", 5, "", 80), Lines{"K01"});
  EXPECT_EQ(hanging("K01  ", 5, "twenty-four columns, yes", 3),
            Lines{"K01  twenty-four columns, yes"});
}

TEST(TextLayout, CountsOneAndMany) {
  EXPECT_EQ(counted(1, "mapping"), "1 mapping");
  EXPECT_EQ(counted(2, "mapping"), "2 mappings");
}

}  // namespace
}  // namespace smaps_audit
