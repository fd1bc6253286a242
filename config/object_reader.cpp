// SPDX-License-Identifier: Apache-2.0
#include "config/object_reader.h"

#include <algorithm>
#include <limits>

#include "base/edit_distance.h"
#include "base/listen_address.h"
#include "base/parse_int.h"
#include "base/utf8.h"
#include "config/quantity.h"
#include "config/rule_reader.h"

namespace smaps_audit {
namespace {

using Kind = JsonNode::Kind;

std::string quoted(std::string_view text) {
  constexpr std::size_t kLongest = 60;
  return "\"" + std::string{utf8_prefix(text, kLongest)} + (text.size() > kLongest ? "..." : "") +
         "\"";
}

std::string given(const JsonNode& node) {
  switch (node.kind) {
    case Kind::null: return "null";
    case Kind::boolean: return node.boolean ? "true" : "false";
    case Kind::number: return node.text;
    case Kind::text: return quoted(node.text);
    case Kind::list: return "a list";
    case Kind::object: return "an object";
  }
  return "";
}

bool has_control_character(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20U || byte == 0x7FU;
  });
}

std::string joined(std::span<const std::string_view> names) {
  std::string text;
  for (const std::string_view name : names) text += (text.empty() ? "" : ", ") + std::string{name};
  return text;
}

// Something like it, or only its beginning, or more than it.
bool may_mean(std::string_view typed, std::string_view meant) {
  constexpr std::size_t kTelling = 3;
  const bool begins =
      typed.size() >= kTelling && (meant.starts_with(typed) || typed.starts_with(meant));
  return begins || is_similar(typed, meant);
}

// 0.01, not 0.010000.
std::string short_number(double value) {
  std::string text = std::to_string(value);
  while (text.ends_with('0')) text.pop_back();
  if (text.ends_with('.')) text.pop_back();
  return text;
}

std::string range_text(const std::string& low, const std::string& high) {
  return "from " + low + " to " + high;
}

std::string word_remedy(const std::string& text, std::span<const std::string_view> names) {
  std::string remedy = "one of " + joined(names);
  for (const std::string_view name : names) {
    if (may_mean(text, name)) remedy = "did you mean " + quoted(name) + "?";
  }
  return remedy;
}

}  // namespace

void ObjectReader::toggle(std::string_view key, bool& value) {
  const JsonNode* const node = take(key, Kind::boolean, "true or false");
  if (node != nullptr) value = node->boolean;
}

void ObjectReader::number(std::string_view key, double& value, double low, double high) {
  const std::string range = range_text(short_number(low), short_number(high));
  const JsonNode* const node = take(key, Kind::number, "a number " + range);
  if (node == nullptr) return;
  if (node->number < low || node->number > high) {
    return report(*node, path_of(key), given(*node) + " is out of range", "a number " + range);
  }
  value = node->number;
}

void ObjectReader::count(std::string_view key, std::uint64_t& value, std::uint64_t low,
                         std::uint64_t high) {
  const std::string wanted =
      "a whole number " + range_text(std::to_string(low), std::to_string(high));
  const JsonNode* const node = take(key, Kind::number, wanted);
  if (node == nullptr) return;
  if (!node->whole || *node->whole < low || *node->whole > high) {
    return report(*node, path_of(key), given(*node) + " is out of range", wanted);
  }
  value = *node->whole;
}

void ObjectReader::count(std::string_view key, std::uint32_t& value, std::uint32_t low,
                         std::uint32_t high) {
  std::uint64_t wide = value;
  count(key, wide, std::uint64_t{low}, std::uint64_t{high});
  value = static_cast<std::uint32_t>(wide);
}

void ObjectReader::size(std::string_view key, std::uint64_t& bytes, std::uint64_t low,
                        std::uint64_t high) {
  const JsonNode* const node = take(key, Kind::text, "a size as \"64MiB\"");
  if (node == nullptr) return;
  const Result<std::uint64_t> size = parse_size(node->text);
  const std::string range = range_text(size_text(low), size_text(high));
  if (!size) return report(*node, path_of(key), size.error().what, range);
  if (*size < low || *size > high) {
    return report(*node, path_of(key), given(*node) + " is out of range", range);
  }
  bytes = *size;
}

void ObjectReader::duration(std::string_view key, std::chrono::nanoseconds& value,
                            std::chrono::nanoseconds low, std::chrono::nanoseconds high) {
  const JsonNode* const node = take(key, Kind::text, "a duration as \"15s\"");
  if (node == nullptr) return;
  const Result<std::chrono::nanoseconds> duration = parse_duration(node->text);
  const std::string range = range_text(duration_text(low), duration_text(high));
  if (!duration) return report(*node, path_of(key), duration.error().what, range);
  if (*duration < low || *duration > high) {
    return report(*node, path_of(key), given(*node) + " is out of range", range);
  }
  value = *duration;
}

void ObjectReader::absolute_path(std::string_view key, std::string& value) {
  const JsonNode* const node = take(key, Kind::text, "a path from the root on");
  if (node != nullptr) read_path(*node, key, value);
}

void ObjectReader::absolute_path(std::string_view key, std::optional<std::string>& value) {
  const JsonNode* const node = take(key);
  if (node == nullptr) return;
  if (node->kind == Kind::null) {
    value.reset();
    return;
  }
  if (node->kind != Kind::text) return wrong_kind(*node, path_of(key), "a path, or null for none");
  std::string path;
  read_path(*node, key, path);
  if (!path.empty()) value = std::move(path);
}

void ObjectReader::listen(std::string_view key, std::vector<std::string>& addresses) {
  std::vector<ListenAddress> taken;
  const auto objection = [&taken](const std::string& text) -> Objection {
    Result<ListenAddress> address = parse_listen_address(text);
    if (!address) return {.what = quoted(text) + ": " + address.error().what, .remedy = ""};
    for (const ListenAddress& earlier : taken) {
      if (earlier.is_same_as(*address)) {
        return {.what = quoted(text) + " is there twice", .remedy = "remove one"};
      }
    }
    taken.push_back(*std::move(address));
    return {};
  };
  std::vector<std::string> read;
  for (const JsonNode* const node : elements(key)) {
    if (check_text(*node, element_path(key, *node), objection)) read.push_back(node->text);
  }
  if (has(key)) addresses = std::move(read);
}

void ObjectReader::words(std::string_view key, std::vector<std::string>& value,
                         std::span<const std::string_view> words) {
  std::vector<std::string> read;
  const auto objection = [&](const std::string& text) -> Objection {
    if (std::find(words.begin(), words.end(), text) == words.end()) {
      return {.what = quoted(text) + " is not known", .remedy = word_remedy(text, words)};
    }
    if (std::find(read.begin(), read.end(), text) != read.end()) {
      return {.what = quoted(text) + " is there twice", .remedy = "remove one"};
    }
    return {};
  };
  for (const JsonNode* const node : elements(key)) {
    if (check_text(*node, element_path(key, *node), objection)) read.push_back(node->text);
  }
  if (has(key)) value = std::move(read);
}

void ObjectReader::rules(std::string_view key, std::vector<TargetRule>& rules) {
  const JsonNode* const node = take(key, Kind::list, "a list of rules in brackets");
  if (node == nullptr) return;
  std::vector<TargetRule> read;
  for (const JsonNode& item : node->items) {
    const std::string path = element_path(key, item);
    if (item.kind != Kind::object) {
      wrong_kind(item, path, "a rule in braces");
      continue;
    }
    ObjectReader inside{item, path, context_};
    read.push_back(read_rule(inside));
    inside.finish();
  }
  rules = std::move(read);
}

void ObjectReader::texts(std::string_view key, std::vector<std::string>& values,
                         const TextCheck& objection) {
  for (const JsonNode* const node : some_elements(key)) {
    if (check_text(*node, element_path(key, *node), objection)) values.push_back(node->text);
  }
}

void ObjectReader::text(std::string_view key, std::optional<std::string>& value,
                        const TextCheck& objection) {
  const JsonNode* const node = take(key);
  if (node == nullptr || node->kind == Kind::null) return;
  if (check_text(*node, path_of(key), objection)) value = node->text;
}

void ObjectReader::users(std::string_view key, std::vector<UserName>& users) {
  for (const JsonNode* const node : some_elements(key)) {
    const std::string path = element_path(key, *node);
    const bool is_number = node->kind == Kind::number;
    if (!is_number && node->kind != Kind::text) {
      wrong_kind(*node, path, "the name or the number of a user");
      continue;
    }
    const std::optional<std::uint64_t> number =
        is_number ? node->whole : parse_unsigned(node->text);
    // The largest is (uid_t)-1, which is nobody's.
    if (number && *number < std::numeric_limits<std::uint32_t>::max()) {
      users.push_back(
          {.name = std::to_string(*number), .uid = static_cast<std::uint32_t>(*number)});
    } else if (number || is_number) {
      report(*node, path, given(*node) + " is no user's number", "from 0 to 4294967294");
    } else if (const auto uid = context_.find_user(node->text)) {
      users.push_back({.name = node->text, .uid = *uid});
    } else {
      report(*node, path, "there is no user " + given(*node),
             "write its number where the name is not known yet");
    }
  }
}

void ObjectReader::finish() {
  for (auto member = object_.members.begin(); member != object_.members.end(); ++member) {
    const auto first = std::find_if(object_.members.begin(), member, [&](const JsonNode& earlier) {
      return earlier.key == member->key;
    });
    if (first != member) {
      context_.problems.push_back(
          {.path = path_of(member->key),
           .place = member->key_place,
           .what = "is there twice, first on line " + std::to_string(first->key_place.line),
           .remedy = "remove one"});
    } else if (std::find(known_.begin(), known_.end(), member->key) == known_.end()) {
      unknown_key(*member);
    }
  }
}

void ObjectReader::report(std::string_view key, std::string what, std::string remedy) {
  const JsonNode* const node = object_.find(key);
  report(node == nullptr ? object_ : *node, path_of(key), std::move(what), std::move(remedy));
}

void ObjectReader::report_whole(std::string what, std::string remedy) {
  report(object_, path_, std::move(what), std::move(remedy));
}

const JsonNode* ObjectReader::take(std::string_view key) {
  known_.push_back(key);
  return object_.find(key);
}

const JsonNode* ObjectReader::take(std::string_view key, Kind kind, std::string_view wanted) {
  const JsonNode* const node = take(key);
  if (node == nullptr || node->kind == kind) return node;
  wrong_kind(*node, path_of(key), wanted);
  return nullptr;
}

std::vector<const JsonNode*> ObjectReader::elements(std::string_view key) {
  const JsonNode* const node = take(key);
  std::vector<const JsonNode*> found;
  if (node == nullptr) return found;
  if (node->kind != Kind::list) return {node};
  for (const JsonNode& item : node->items) found.push_back(&item);
  return found;
}

std::vector<const JsonNode*> ObjectReader::some_elements(std::string_view key) {
  std::vector<const JsonNode*> found = elements(key);
  if (found.empty() && has(key)) report(key, "is an empty list", "leave it out");
  return found;
}

std::string ObjectReader::element_path(std::string_view key, const JsonNode& node) const {
  const JsonNode* const list = object_.find(key);
  if (list == nullptr || list == &node) return path_of(key);
  return path_of(key) + "[" + std::to_string(&node - list->items.data()) + "]";
}

void ObjectReader::read_path(const JsonNode& node, std::string_view key, std::string& value) {
  const auto objection = [](const std::string& text) -> Objection {
    if (text.starts_with('/')) return {};
    return {.what = quoted(text) + " is no path from the root on", .remedy = "begin it with /"};
  };
  if (check_text(node, path_of(key), objection)) value = node.text;
}

bool ObjectReader::check_text(const JsonNode& node, const std::string& path,
                              const TextCheck& objection) {
  if (node.kind != Kind::text) {
    wrong_kind(node, path, "a text");
    return false;
  }
  if (has_control_character(node.text)) {
    report(node, path, given(node) + " has a control character", "remove it");
    return false;
  }
  Objection off = objection(node.text);
  if (off.what.empty()) return true;
  report(node, path, std::move(off.what), std::move(off.remedy));
  return false;
}

void ObjectReader::report(const JsonNode& node, std::string path, std::string what,
                          std::string remedy) {
  context_.problems.push_back({.path = std::move(path),
                               .place = node.place,
                               .what = std::move(what),
                               .remedy = std::move(remedy)});
}

void ObjectReader::wrong_kind(const JsonNode& node, std::string path, std::string_view wanted) {
  const bool tells_itself = node.kind == Kind::null || node.kind == Kind::list ||
                            node.kind == Kind::object || node.kind == Kind::boolean;
  std::string what = "is " + given(node);
  if (!tells_itself) what += ", " + std::string{describe(node.kind)};
  report(node, std::move(path), std::move(what), "wanted: " + std::string{wanted});
}

void ObjectReader::wrong_word(const JsonNode& node, std::string_view key,
                              std::span<const std::string_view> names) {
  if (node.kind != Kind::text) return wrong_kind(node, path_of(key), "one of " + joined(names));
  report(node, path_of(key), given(node) + " is not known", word_remedy(node.text, names));
}

void ObjectReader::unknown_key(const JsonNode& member) {
  std::string elsewhere;
  for (const std::string& path : context_.all_keys) {
    if (path.substr(path.rfind('.') + 1) != member.key) continue;
    elsewhere += (elsewhere.empty() ? "did you mean " : " or ") + path;
  }
  std::string remedy =
      elsewhere.empty() ? "known here: " + joined(known_) : std::move(elsewhere) + "?";
  std::size_t nearest = std::numeric_limits<std::size_t>::max();
  for (const std::string_view key : known_) {
    const std::size_t distance = edit_distance(member.key, key);
    if (distance >= nearest || !may_mean(member.key, key)) continue;
    nearest = distance;
    remedy = "did you mean " + quoted(key) + "?";
  }
  context_.problems.push_back({.path = path_of(member.key),
                               .place = member.key_place,
                               .what = "unknown key",
                               .remedy = std::move(remedy)});
}

std::string ObjectReader::path_of(std::string_view key) const {
  return (path_.empty() ? "" : path_ + ".") + std::string{key};
}

}  // namespace smaps_audit
