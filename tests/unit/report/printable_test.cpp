// SPDX-License-Identifier: Apache-2.0
#include "report/printable.h"

#include <gtest/gtest.h>

namespace smaps_audit {
namespace {

TEST(Printable, KeepsPlainAndWellFormedText) {
  EXPECT_EQ(printable("postgres: writer"), "postgres: writer");
  EXPECT_EQ(printable("\xc3\xa9\xe6\x97\xa5\xf0\x9f\x98\x80"),
            "\xc3\xa9\xe6\x97\xa5\xf0\x9f\x98\x80");
  EXPECT_EQ(printable("back\\slash"), "back\\slash");
}

TEST(Printable, EscapesControlsOfBothSets) {
  EXPECT_EQ(printable(std::string_view{"\0\x1b\n\x7f", 4}), "\\x00\\x1b\\x0a\\x7f");
  EXPECT_EQ(printable("\xc2\x9b"), "\\xc2\\x9b");
}

TEST(Printable, EscapesWhatReordersOrHides) {
  EXPECT_EQ(printable("\xe2\x80\xae"), "\\xe2\\x80\\xae");
  EXPECT_EQ(printable("\xe2\x81\xa6"), "\\xe2\\x81\\xa6");
  EXPECT_EQ(printable("\xe2\x80\x8b"), "\\xe2\\x80\\x8b");
}

TEST(Printable, EscapesMalformedSequencesByteByByte) {
  EXPECT_EQ(utf8_or_escaped("\xc3"), "\\xc3");
  EXPECT_EQ(utf8_or_escaped("\xc0\xaf"), "\\xc0\\xaf");
  EXPECT_EQ(utf8_or_escaped("\xe0\x80\xaf"), "\\xe0\\x80\\xaf");
  EXPECT_EQ(utf8_or_escaped("\xed\xa0\x80"), "\\xed\\xa0\\x80");
  EXPECT_EQ(utf8_or_escaped("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");
  EXPECT_EQ(utf8_or_escaped("\xe6\x97x"), "\\xe6\\x97x");
  EXPECT_EQ(utf8_or_escaped("\x80\xff"), "\\x80\\xff");
}

TEST(Printable, LeavesControlsToJson) { EXPECT_EQ(utf8_or_escaped("\x1b\n"), "\x1b\n"); }

TEST(Printable, CountsColumns) {
  EXPECT_EQ(display_columns(""), 0U);
  EXPECT_EQ(display_columns("abc"), 3U);
  EXPECT_EQ(display_columns("\xc3\xa9"), 1U);
  EXPECT_EQ(display_columns("e\xcc\x81"), 1U);
  EXPECT_EQ(display_columns("\xe6\x97\xa5"), 2U);
}

TEST(Printable, CutsAtTheEndWithoutCuttingACharacter) {
  EXPECT_EQ(fit_columns("abcdef", 6), "abcdef");
  EXPECT_EQ(fit_columns("abcdefg", 6), "abc...");
  EXPECT_EQ(fit_columns("\xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5", 5), "\xe6\x97\xa5...");
  EXPECT_EQ(fit_columns("abcdefg", 2), "..");
}

TEST(Printable, CutsPathsInTheMiddle) {
  EXPECT_EQ(fit_path("/usr/lib/postgresql/bin/postgres", 20), "/usr/...bin/postgres");
  EXPECT_EQ(fit_path("/short", 20), "/short");
}

}  // namespace
}  // namespace smaps_audit
