// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/json_tree.h"
#include "config/settings.h"
#include "config/settings_problem.h"

namespace smaps_audit {

/// uid of a user's name; nullopt: there is no such user.
using UserLookup = std::function<std::optional<std::uint32_t>(const std::string&)>;

template <class E>
struct NamedValue {
  std::string_view name;
  E value;
};
template <class E>
NamedValue(std::string_view, E) -> NamedValue<E>;

/// What all readers of one configuration share.
struct ReadContext {
  UserLookup find_user;
  std::vector<std::string> all_keys;  ///< "audit.interval", of the whole file
  std::vector<SettingsProblem> problems = {};
};

/// Private to config/: reads one object of the configuration key by key (config/settings_fields.h).
/// A key that is absent leaves its value alone; everything off is a problem, and reading goes on.
/// In the end comes finish(), which knows by then what was never asked for.
class ObjectReader {
 public:
  ObjectReader(const JsonNode& object, std::string path, ReadContext& context)
      : object_(object), path_(std::move(path)), context_(context) {}

  void toggle(std::string_view key, bool& value);
  void number(std::string_view key, double& value, double low, double high);
  void count(std::string_view key, std::uint64_t& value, std::uint64_t low, std::uint64_t high);
  void count(std::string_view key, std::uint32_t& value, std::uint32_t low, std::uint32_t high);
  void size(std::string_view key, std::uint64_t& bytes, std::uint64_t low, std::uint64_t high);
  void duration(std::string_view key, std::chrono::nanoseconds& value, std::chrono::nanoseconds low,
                std::chrono::nanoseconds high);
  void absolute_path(std::string_view key, std::string& value);
  /// null: none.
  void absolute_path(std::string_view key, std::optional<std::string>& value);
  template <class E, std::size_t N>
  void word(std::string_view key, E& value, const std::array<NamedValue<E>, N>& words);
  /// Some of `words`, none twice; one text stands for a list of one.
  void words(std::string_view key, std::vector<std::string>& value,
             std::span<const std::string_view> words);
  void listen(std::string_view key, std::vector<std::string>& addresses);
  void rules(std::string_view key, std::vector<TargetRule>& rules);
  template <class Body>
  void section(std::string_view key, const Body& body);
  /// A key that may be there and means nothing here.
  void ignored(std::string_view key) { (void)take(key); }

  /// A list of texts that isn't empty, or one text, which stands for a list of one. `objection`:
  /// what is off with a text, and what would be right; an empty `what` is none.
  struct Objection {
    std::string what;
    std::string remedy;
  };
  using TextCheck = std::function<Objection(const std::string& text)>;
  void texts(std::string_view key, std::vector<std::string>& values, const TextCheck& objection);
  void text(std::string_view key, std::optional<std::string>& value, const TextCheck& objection);
  /// Names or numbers.
  void users(std::string_view key, std::vector<UserName>& users);

  [[nodiscard]] bool has(std::string_view key) const { return object_.find(key) != nullptr; }
  /// Reports keys that nobody has asked for, and those that come twice.
  void finish();

  void report(std::string_view key, std::string what, std::string remedy);
  /// About the object itself.
  void report_whole(std::string what, std::string remedy);

 private:
  const JsonNode* take(std::string_view key);
  const JsonNode* take(std::string_view key, JsonNode::Kind kind, std::string_view wanted);
  /// The elements of a list, or the one value; empty where the key is absent.
  std::vector<const JsonNode*> elements(std::string_view key);
  std::vector<const JsonNode*> some_elements(std::string_view key);
  [[nodiscard]] std::string element_path(std::string_view key, const JsonNode& node) const;
  void read_path(const JsonNode& node, std::string_view key, std::string& value);
  bool check_text(const JsonNode& node, const std::string& path, const TextCheck& objection);
  void report(const JsonNode& node, std::string path, std::string what, std::string remedy);
  void wrong_kind(const JsonNode& node, std::string path, std::string_view wanted);
  void wrong_word(const JsonNode& node, std::string_view key,
                  std::span<const std::string_view> names);
  void unknown_key(const JsonNode& member);
  [[nodiscard]] std::string path_of(std::string_view key) const;

  const JsonNode& object_;
  std::string path_;
  ReadContext& context_;
  std::vector<std::string_view> known_;
};

template <class E, std::size_t N>
void ObjectReader::word(std::string_view key, E& value, const std::array<NamedValue<E>, N>& words) {
  const JsonNode* const node = take(key);
  if (node == nullptr) return;
  std::array<std::string_view, N> names;
  for (std::size_t i = 0; i < N; ++i) {
    names[i] = words[i].name;
    if (node->kind == JsonNode::Kind::text && node->text == words[i].name) {
      value = words[i].value;
      return;
    }
  }
  wrong_word(*node, key, names);
}

template <class Body>
void ObjectReader::section(std::string_view key, const Body& body) {
  const JsonNode* const node = take(key, JsonNode::Kind::object, "an object in braces");
  if (node == nullptr) return;
  ObjectReader inside{*node, path_of(key), context_};
  body(inside);
  inside.finish();
}

}  // namespace smaps_audit
