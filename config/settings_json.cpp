// SPDX-License-Identifier: Apache-2.0
#include "config/settings_json.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <span>

#include "config/quantity.h"
#include "config/settings_fields.h"

namespace smaps_audit {
namespace {

using nlohmann::ordered_json;

template <class E, std::size_t N>
std::string name_of(E value, const std::array<NamedValue<E>, N>& words) {
  for (const NamedValue<E>& word : words) {
    if (word.value == value) return std::string{word.name};
  }
  return "";  // the tables are complete
}

// One text, not a list of one: as a person would write it.
void write_texts(ordered_json& json, std::string_view key, const std::vector<std::string>& texts) {
  if (texts.size() == 1) json[std::string{key}] = texts.front();
  if (texts.size() > 1) json[std::string{key}] = texts;
}

ordered_json rule_json(const TargetRule& rule) {
  ordered_json json;
  json["action"] = name_of(rule.action, kTargetActions);
  if (rule.group) json["group"] = *rule.group;
  write_texts(json, "comm", rule.comms);
  write_texts(json, "executable", rule.executables);
  write_texts(json, "unit", rule.units);
  write_texts(json, "cgroup", rule.cgroups);
  std::vector<std::string> users;
  users.reserve(rule.users.size());
  for (const UserName& user : rule.users) users.push_back(user.name);
  write_texts(json, "user", users);
  return json;
}

/// The other side of ObjectReader: the same calls, and what is in the values is written.
class ObjectWriter {
 public:
  void toggle(std::string_view key, bool value) { at(key) = value; }
  void number(std::string_view key, double value, double /*low*/, double /*high*/) {
    // 1, not 1.0; the ranges keep it far from what a double can't hold.
    if (std::floor(value) == value) {
      at(key) = static_cast<std::int64_t>(value);
    } else {
      at(key) = value;
    }
  }
  void count(std::string_view key, std::uint64_t value, std::uint64_t /*low*/,
             std::uint64_t /*high*/) {
    at(key) = value;
  }
  void size(std::string_view key, std::uint64_t bytes, std::uint64_t /*low*/,
            std::uint64_t /*high*/) {
    at(key) = size_text(bytes);
  }
  void duration(std::string_view key, std::chrono::nanoseconds value,
                std::chrono::nanoseconds /*low*/, std::chrono::nanoseconds /*high*/) {
    at(key) = duration_text(value);
  }
  void absolute_path(std::string_view key, const std::string& value) { at(key) = value; }
  void absolute_path(std::string_view key, const std::optional<std::string>& value) {
    at(key) = value ? ordered_json(*value) : ordered_json(nullptr);
  }
  template <class E, std::size_t N>
  void word(std::string_view key, E value, const std::array<NamedValue<E>, N>& words) {
    at(key) = name_of(value, words);
  }
  void words(std::string_view key, const std::vector<std::string>& value,
             std::span<const std::string_view> /*words*/) {
    at(key) = value;
  }
  void listen(std::string_view key, const std::vector<std::string>& addresses) {
    at(key) = addresses;
  }
  void rules(std::string_view key, const std::vector<TargetRule>& rules) {
    ordered_json& list = at(key) = ordered_json::array();
    for (const TargetRule& rule : rules) list.push_back(rule_json(rule));
  }
  template <class Body>
  void section(std::string_view key, const Body& body) {
    ObjectWriter inside;
    body(inside);
    at(key) = std::move(inside.json_);
  }
  void ignored(std::string_view /*key*/) {}

  [[nodiscard]] std::string text() const {
    return json_.dump(2, ' ', /*ensure_ascii=*/false, ordered_json::error_handler_t::replace) +
           "\n";
  }

 private:
  ordered_json& at(std::string_view key) { return json_[std::string{key}]; }

  ordered_json json_ = ordered_json::object();
};

}  // namespace

std::string settings_json(const Settings& settings) {
  ObjectWriter writer;
  describe_settings(settings, writer);
  return writer.text();
}

}  // namespace smaps_audit
