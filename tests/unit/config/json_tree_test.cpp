// SPDX-License-Identifier: Apache-2.0
#include "config/json_tree.h"

#include <gtest/gtest.h>

namespace smaps_audit {
namespace {

using Kind = JsonNode::Kind;

JsonNode tree(std::string_view text) {
  auto parsed = parse_json(text);
  if (const auto* const error = std::get_if<JsonSyntaxError>(&parsed)) {
    ADD_FAILURE() << text << ": " << error->what;
    return {};
  }
  return std::get<JsonNode>(std::move(parsed));
}

std::string error_of(std::string_view text) {
  const auto parsed = parse_json(text);
  const auto* const error = std::get_if<JsonSyntaxError>(&parsed);
  if (error == nullptr) return "";
  return std::to_string(error->place.line) + ":" + std::to_string(error->place.column) + " " +
         error->what + " | " + error->remedy;
}

TEST(JsonTree, KnowsWhereEverythingStands) {
  const JsonNode root =
      tree("// c\n{ /* {\n \" */ \"a\": [1.5e1,\n-2, \"\\\"ä\", null],\n\"b\":true}");
  EXPECT_EQ(root.place, (TextPlace{2, 1}));
  ASSERT_EQ(root.members.size(), 2U);
  EXPECT_EQ(root.members[0].key_place, (TextPlace{3, 7}));
  EXPECT_EQ(root.members[1].key_place, (TextPlace{5, 1}));
  const JsonNode& list = root.members[0];
  EXPECT_EQ(list.place, (TextPlace{3, 12}));
  ASSERT_EQ(list.items.size(), 4U);
  EXPECT_EQ(list.items[0].place, (TextPlace{3, 13}));
  EXPECT_EQ(list.items[1].place, (TextPlace{4, 1}));
  EXPECT_EQ(list.items[2].place, (TextPlace{4, 5}));
  EXPECT_EQ(list.items[3].place, (TextPlace{4, 12}));
  EXPECT_EQ(root.members[1].place, (TextPlace{5, 5}));
}

TEST(JsonTree, SkipsAByteOrderMark) { EXPECT_EQ(tree("\xEF\xBB\xBF{}").place, (TextPlace{1, 1})); }

TEST(JsonTree, KeepsEveryKindOfValue) {
  const JsonNode root = tree(R"([null, false, 7, -7, 2.0, 2.5, 1e300, "x", [], {}])");
  const std::vector<Kind> kinds{Kind::null,   Kind::boolean, Kind::number, Kind::number,
                                Kind::number, Kind::number,  Kind::number, Kind::text,
                                Kind::list,   Kind::object};
  ASSERT_EQ(root.items.size(), kinds.size());
  for (std::size_t i = 0; i < kinds.size(); ++i) EXPECT_EQ(root.items[i].kind, kinds[i]) << i;
  EXPECT_EQ(root.items[2].whole, 7U);
  EXPECT_EQ(root.items[3].whole, std::nullopt);
  EXPECT_EQ(root.items[3].number, -7);
  EXPECT_EQ(root.items[3].text, "-7");
  EXPECT_EQ(root.items[4].whole, 2U);
  EXPECT_EQ(root.items[5].whole, std::nullopt);
  EXPECT_EQ(root.items[6].whole, std::nullopt);
}

TEST(JsonTree, NumbersPast64BitsAreNotWhole) {
  const JsonNode root = tree("[18446744073709551615, 18446744073709551616]");
  EXPECT_EQ(root.items[0].whole, 18446744073709551615U);
  EXPECT_EQ(root.items[1].whole, std::nullopt);
  EXPECT_EQ(root.items[1].text, "18446744073709551616");
}

TEST(JsonTree, KeepsAKeyThatIsThereTwice) {
  const JsonNode root = tree(R"({"a": 1, "a": 2})");
  ASSERT_EQ(root.members.size(), 2U);
  EXPECT_EQ(root.find("a"), &root.members[0]);
  EXPECT_EQ(root.find("b"), nullptr);
}

TEST(JsonTree, EveryErrorHasItsPlace) {
  EXPECT_EQ(error_of("[1,]"),
            "1:4 unexpected ']'; expected '[', '{', or a literal | remove the comma before it");
  EXPECT_EQ(error_of("{\"a\" 1}"), "1:6 unexpected number literal; expected ':' | ");
  EXPECT_EQ(
      error_of("{\"a\":\n\"b\nc\"}"),
      "2:1 invalid string: control character U+000A (LF) must be escaped to \\u000A or \\n | a "
      "text ends on the line where it begins, with a double quote");
  EXPECT_EQ(error_of("{\n 'a': 1}").substr(0, 19), "2:2 invalid literal");
  EXPECT_EQ(error_of("{\"a\": True}").substr(0, 19), "1:7 invalid literal");
  EXPECT_EQ(error_of("{\"a\": 1e999}"),
            "1:7 number overflow parsing '1e999' | no number here is that large");
  EXPECT_EQ(error_of("{} {}"), "1:4 unexpected '{'; expected end of input | ");
  EXPECT_EQ(error_of("{\n  /* x"),
            "2:3 invalid comment; missing closing '*/' | the comment that begins here never ends");
  EXPECT_EQ(error_of("[\"\xFF\"]"),
            "1:2 invalid string: ill-formed UTF-8 byte | save the file as UTF-8");
  EXPECT_EQ(error_of("{\"a\": 1"),
            "1:8 unexpected end of input; expected '}' | a bracket is not closed");
}

TEST(JsonTree, KindsHaveNames) {
  EXPECT_EQ(describe(Kind::null), "null");
  EXPECT_EQ(describe(Kind::object), "an object");
}

}  // namespace
}  // namespace smaps_audit
