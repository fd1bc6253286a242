// SPDX-License-Identifier: Apache-2.0
#include "config/json_tree.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace smaps_audit {
namespace {

using nlohmann::json;

constexpr std::size_t kDeepest = 16;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

/// Follows the library through a text whose tokens it has accepted; only it knows where they are.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text) {
    if (text_.starts_with(kByteOrderMark)) at_ = counted_ = kByteOrderMark.size();
  }

  /// Steps over the next token and says where it begins.
  TextPlace next() {
    skip_separators();
    begin_ = at_;
    count_up_to(begin_);
    if (at_ == text_.size()) return place_;
    if (text_[at_] == '"') {
      skip_text();
    } else if (std::string_view{"{}[]"}.find(text_[at_]) != std::string_view::npos) {
      ++at_;
    } else {
      at_ = std::min(text_.find_first_of(" \t\r\n,:/{}[]\"", at_), text_.size());
    }
    return place_;
  }
  /// The token that next() has stepped over.
  [[nodiscard]] std::string_view token() const { return text_.substr(begin_, at_ - begin_); }

 private:
  void count_up_to(std::size_t offset) {
    for (; counted_ < offset; ++counted_) {
      const bool continues = (static_cast<unsigned char>(text_[counted_]) & 0xC0U) == 0x80U;
      if (text_[counted_] == '\n') {
        ++place_.line;
        place_.column = 1;
      } else if (!continues) {
        ++place_.column;
      }
    }
  }
  void skip_separators() {
    while (at_ < text_.size()) {
      const std::string_view rest = text_.substr(at_);
      if (rest.starts_with("//")) {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else if (rest.starts_with("/*")) {
        const std::size_t end = text_.find("*/", at_ + 2);
        if (end == std::string_view::npos) return;
        at_ = end + 2;
      } else if (std::string_view{" \t\r\n,:"}.find(rest.front()) != std::string_view::npos) {
        ++at_;
      } else {
        return;
      }
    }
  }
  void skip_text() {
    for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      if (text_[at_] == '\\') ++at_;
    }
    at_ = std::min(at_ + 1, text_.size());
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t begin_ = 0;
  std::size_t counted_ = 0;
  TextPlace place_;
};

// "[json…] parse error at line 1, column 8: syntax error while parsing object - unexpected '}';
// expected string literal"
std::string in_short(std::string_view what) {
  for (const std::string_view before : {"] ", " - "}) {
    const std::size_t found = what.find(before);
    if (found != std::string_view::npos) what.remove_prefix(found + before.size());
  }
  const std::size_t last_read = what.find("; last read");
  if (last_read != std::string_view::npos) what = what.substr(0, last_read);
  return std::string{what};
}

std::string remedy_for(std::string_view what, bool is_empty) {
  const auto has = [what](std::string_view words) { return what.find(words) != what.npos; };
  if (has("unexpected '}'; expected string") || has("unexpected ']'; expected '['")) {
    return "remove the comma before it";
  }
  if (has("unexpected string literal; expected")) return "a comma is missing before it";
  if (has("missing closing quote") || has("must be escaped")) {
    return "a text ends on the line where it begins, with a double quote";
  }
  if (has("invalid literal")) {
    return "texts and keys stand in double quotes; true, false and null are written small";
  }
  if (has("ill-formed UTF-8")) return "save the file as UTF-8";
  if (has("missing closing '*/'")) return "the comment that begins here never ends";
  if (has("after backslash")) return "a backslash is written twice: \\\\";
  if (has("number overflow")) return "no number here is that large";
  if (has("unexpected end of input")) {
    return is_empty ? "write {} to take every default" : "a bracket is not closed";
  }
  return "";
}

/// Takes the library's events and builds the tree.
class Builder {
 public:
  explicit Builder(std::string_view text) : cursor_(text) {}

  // The names and signatures are nlohmann::json_sax's.
  bool null() { return add(node(JsonNode::Kind::null)); }
  bool boolean(bool value) {
    JsonNode made = node(JsonNode::Kind::boolean);
    made.boolean = value;
    return add(std::move(made));
  }
  bool number_integer(json::number_integer_t value) {
    JsonNode made = number_node(static_cast<double>(value));
    return add(std::move(made));
  }
  bool number_unsigned(json::number_unsigned_t value) {
    JsonNode made = number_node(static_cast<double>(value));
    made.whole = value;
    return add(std::move(made));
  }
  bool number_float(json::number_float_t value, const json::string_t& /*written*/) {
    // Above it, a double is whole by nature and says nothing exact.
    constexpr double kExact = 9007199254740992;
    JsonNode made = number_node(value);
    if (value >= 0 && value <= kExact && std::floor(value) == value) {
      made.whole = static_cast<std::uint64_t>(value);
    }
    return add(std::move(made));
  }
  bool string(json::string_t& value) {
    JsonNode made = node(JsonNode::Kind::text);
    made.text = std::move(value);
    return add(std::move(made));
  }
  bool binary(json::binary_t& /*value*/) { return false; }  // no token of JSON
  bool start_object(std::size_t /*elements*/) { return begin(JsonNode::Kind::object); }
  bool start_array(std::size_t /*elements*/) { return begin(JsonNode::Kind::list); }
  bool end_object() { return end(); }
  bool end_array() { return end(); }
  bool key(json::string_t& value) {
    open_.back().members.push_back({.key = std::move(value), .key_place = cursor_.next()});
    return true;
  }
  // What the library says of the place is the end of what it has read, and its copy of the token
  // may hold the one before: the cursor knows better.
  bool parse_error(std::size_t /*position*/, const std::string& /*token*/,
                   const json::exception& error) {
    const std::string what = in_short(error.what());
    error_ = {.place = cursor_.next(), .what = what, .remedy = remedy_for(what, open_.empty())};
    return false;
  }

  std::variant<JsonNode, JsonSyntaxError> take() {
    if (error_) return *std::move(error_);
    return std::move(root_);
  }

 private:
  JsonNode node(JsonNode::Kind kind) { return {.kind = kind, .place = cursor_.next()}; }
  JsonNode number_node(double value) {
    const TextPlace place = cursor_.next();
    return {.kind = JsonNode::Kind::number,
            .place = place,
            .number = value,
            .text = std::string{cursor_.token()}};
  }
  bool begin(JsonNode::Kind kind) {
    open_.push_back(node(kind));
    if (open_.size() <= kDeepest) return true;
    error_ = {.place = open_.back().place,
              .what = "nested more than " + std::to_string(kDeepest) + " deep",
              .remedy = "nothing here needs that"};
    return false;
  }
  bool end() {
    cursor_.next();
    JsonNode done = std::move(open_.back());
    open_.pop_back();
    return add(std::move(done));
  }
  bool add(JsonNode done) {
    if (open_.empty()) {
      root_ = std::move(done);
    } else if (open_.back().kind == JsonNode::Kind::list) {
      open_.back().items.push_back(std::move(done));
    } else {
      JsonNode& member = open_.back().members.back();
      done.key = std::move(member.key);
      done.key_place = member.key_place;
      member = std::move(done);
    }
    return true;
  }

  Cursor cursor_;
  JsonNode root_;
  std::vector<JsonNode> open_;
  std::optional<JsonSyntaxError> error_;
};

}  // namespace

const JsonNode* JsonNode::find(std::string_view wanted) const {
  const auto found = std::find_if(members.begin(), members.end(), [wanted](const JsonNode& member) {
    return member.key == wanted;
  });
  return found == members.end() ? nullptr : &*found;
}

std::variant<JsonNode, JsonSyntaxError> parse_json(std::string_view text) {
  Builder builder{text};
  json::sax_parse(text.begin(), text.end(), &builder, json::input_format_t::json,
                  /*strict=*/true, /*ignore_comments=*/true);
  return builder.take();
}

std::string_view describe(JsonNode::Kind kind) {
  switch (kind) {
    case JsonNode::Kind::null: return "null";
    case JsonNode::Kind::boolean: return "true or false";
    case JsonNode::Kind::number: return "a number";
    case JsonNode::Kind::text: return "a text";
    case JsonNode::Kind::list: return "a list";
    case JsonNode::Kind::object: return "an object";
  }
  return "";
}

}  // namespace smaps_audit
