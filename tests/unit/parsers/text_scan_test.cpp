// SPDX-License-Identifier: Apache-2.0
#include "parsers/text_scan.h"

#include <gtest/gtest.h>

namespace smaps_audit {
namespace {

TEST(Excerpt, EscapesWhatALogOrJsonCouldNotHold) {
  EXPECT_EQ(quoted_excerpt("plain text"), "\"plain text\"");
  EXPECT_EQ(quoted_excerpt(std::string_view("a\0\n\x1b\x7f\xff\"\\z", 9)),
            "\"a\\x00\\x0a\\x1b\\x7f\\xff\\x22\\x5cz\"");
}

TEST(Excerpt, CutsBehindSixtyBytes) {
  EXPECT_EQ(quoted_excerpt(std::string(60, 'x')), "\"" + std::string(60, 'x') + "\"");
  EXPECT_EQ(quoted_excerpt(std::string(61, 'x')), "\"" + std::string(60, 'x') + "...\"");
}

TEST(TruncatedError, NamesTheLastLine) {
  EXPECT_EQ(truncated_error("cut", "").line, 1u);
  EXPECT_EQ(truncated_error("cut", "a\n").line, 1u);
  EXPECT_EQ(truncated_error("cut", "a\nbc").line, 2u);
  EXPECT_EQ(truncated_error("cut", "a\nbc").what, "cut: \"bc\"");
}

TEST(LineScannerWalk, GivesEveryLineWithItsNumber) {
  LineScanner lines("a\n\nc\n");
  EXPECT_EQ(lines.next(), "a");
  EXPECT_EQ(lines.next(), "");
  EXPECT_EQ(lines.number(), 2u);
  EXPECT_EQ(lines.next(), "c");
  EXPECT_EQ(lines.next(), std::nullopt);
  EXPECT_EQ(lines.number(), 3u);
}

TEST(Words, AreCutAtSingleBlanks) {
  std::string_view rest = "a bc  d";
  EXPECT_EQ(take_word(rest), "a");
  EXPECT_EQ(take_word(rest), "bc");
  EXPECT_EQ(take_word(rest), "");
  EXPECT_EQ(take_word(rest), "d");
  EXPECT_EQ(take_word(rest), "");
}

TEST(KeyedLines, NeedAKey) {
  const auto keyed = split_keyed_line("Key_9:\t a: b");
  ASSERT_TRUE(keyed.has_value());
  EXPECT_EQ(keyed->key, "Key_9");
  EXPECT_EQ(keyed->rest, "\t a: b");
  EXPECT_FALSE(split_keyed_line("no colon").has_value());
  EXPECT_FALSE(split_keyed_line(": x").has_value());
  EXPECT_FALSE(split_keyed_line("a-b: x").has_value());
}

}  // namespace
}  // namespace smaps_audit
