// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace smaps_audit {

/// Both count from 1; a column is a character.
struct TextPlace {
  std::uint64_t line = 1;
  std::uint64_t column = 1;
  bool operator==(const TextPlace&) const = default;
};

/// A JSON value that knows where it stands, and keeps what nlohmann::json drops: keys that come
/// twice, and their order.
struct JsonNode {
  enum class Kind : std::uint8_t { null, boolean, number, text, list, object };
  Kind kind = Kind::null;
  TextPlace place = {};
  std::string key = {};      ///< of a member of an object
  TextPlace key_place = {};  ///< of its key
  bool boolean = false;
  double number = 0;
  std::optional<std::uint64_t> whole = {};  ///< of a number that is one and fits: 15, 15.0
  std::string text = {};                    ///< of a text; of a number as it is written
  std::vector<JsonNode> items = {};
  std::vector<JsonNode> members = {};

  /// The first with this key; nullptr if there is none, or if this is no object.
  [[nodiscard]] const JsonNode* find(std::string_view wanted) const;
};

struct JsonSyntaxError {
  TextPlace place;
  std::string what;
  std::string remedy;  ///< may be empty
};

/// JSON with // and /* */ comments, nested at most 16 deep. Stops at the first error. No
/// exceptions.
std::variant<JsonNode, JsonSyntaxError> parse_json(std::string_view text);

/// "a text", "an object": for people.
std::string_view describe(JsonNode::Kind kind);

}  // namespace smaps_audit
