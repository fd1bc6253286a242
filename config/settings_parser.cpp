// SPDX-License-Identifier: Apache-2.0
#include "config/settings_parser.h"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <limits>
#include <utility>

#include "config/quantity.h"
#include "config/settings_fields.h"
#include "config/settings_json.h"
#include "config/user_lookup.h"

namespace smaps_audit {
namespace {

constexpr std::size_t kMostBytes = std::size_t{1} << 20;

void list_keys(const JsonNode& object, const std::string& path, std::vector<std::string>& keys) {
  for (const JsonNode& member : object.members) {
    const std::string here = path.empty() ? member.key : path + "." + member.key;
    if (member.kind == JsonNode::Kind::object) {
      list_keys(member, here, keys);
    } else {
      keys.push_back(here);
    }
  }
}

std::vector<std::string> all_keys() {
  std::vector<std::string> keys;
  const auto defaults = parse_json(settings_json(Settings{}));
  if (const auto* const tree = std::get_if<JsonNode>(&defaults)) list_keys(*tree, "", keys);
  for (const char* const key :
       {"action", "group", "comm", "executable", "unit", "cgroup", "user"}) {
    keys.push_back("targets.rules[]." + std::string{key});
  }
  return keys;
}

// Where "audit.interval" stands; nullopt: it has its default.
std::optional<TextPlace> place_of(const JsonNode& root, std::string_view path) {
  const JsonNode* node = &root;
  while (node != nullptr && !path.empty()) {
    const std::size_t dot = std::min(path.find('.'), path.size());
    node = node->find(path.substr(0, dot));
    path.remove_prefix(std::min(dot + 1, path.size()));
  }
  if (node == nullptr) return std::nullopt;
  return node->place;
}

void check_order(const JsonNode& root, std::vector<SettingsProblem>& problems,
                 const std::string& lower_path, std::chrono::nanoseconds lower,
                 const std::string& upper_path, std::chrono::nanoseconds upper) {
  if (lower <= upper) return;
  const std::optional<TextPlace> place = place_of(root, upper_path);
  problems.push_back(
      {.path = upper_path,
       .place = place ? place : place_of(root, lower_path),
       .what = duration_text(upper) + " is below " + lower_path + ", " + duration_text(lower),
       .remedy = "raise the one or lower the other"});
}

// What holds between two values. Those that are off themselves have kept their defaults, and would
// only add to the noise.
void check_together(const JsonNode& root, const Settings& settings,
                    std::vector<SettingsProblem>& problems) {
  if (!problems.empty()) return;
  check_order(root, problems, "audit.read_deadline", settings.audit.read_deadline,
              "audit.process_deadline", settings.audit.process_deadline);
  check_order(root, problems, "worker.quarantine_first", settings.worker.quarantine_first,
              "worker.quarantine_longest", settings.worker.quarantine_longest);
  if (settings.web.enable && settings.web.listen.empty()) {
    problems.push_back({.path = "web.listen",
                        .place = place_of(root, "web.listen"),
                        .what = "is an empty list",
                        .remedy = "name an address, or set web.enable to false"});
  }
}

void sort_by_place(std::vector<SettingsProblem>& problems) {
  const auto key = [](const SettingsProblem& problem) {
    const TextPlace place = problem.place.value_or(TextPlace{});
    return std::pair{place.line, place.column};
  };
  std::stable_sort(problems.begin(), problems.end(),
                   [&](const auto& a, const auto& b) { return key(a) < key(b); });
}

SettingsOrProblems one_problem(SettingsProblem problem) {
  return std::vector<SettingsProblem>{std::move(problem)};
}

}  // namespace

SettingsOrProblems parse_settings(std::string_view text, const UserLookup& find_user) {
  auto parsed = parse_json(text);
  if (auto* const error = std::get_if<JsonSyntaxError>(&parsed)) {
    return one_problem({.path = "",
                        .place = error->place,
                        .what = std::move(error->what),
                        .remedy = std::move(error->remedy)});
  }
  const JsonNode& root = std::get<JsonNode>(parsed);
  if (root.kind != JsonNode::Kind::object) {
    return one_problem({.path = "",
                        .place = root.place,
                        .what = "is " + std::string{describe(root.kind)},
                        .remedy = "wanted: an object in braces"});
  }
  Settings settings;
  ReadContext context{.find_user = find_user, .all_keys = all_keys()};
  ObjectReader reader{root, "", context};
  describe_settings(settings, reader);
  reader.finish();
  check_together(root, settings, context.problems);
  if (context.problems.empty()) return settings;
  sort_by_place(context.problems);
  return std::move(context.problems);
}

SettingsOrProblems load_settings(const std::string& file) {
  const auto unreadable = [](int errno_value) {
    const Error error = error_from_errno(errno_value, "can't be read");
    return one_problem({.path = "", .place = {}, .what = error.message(), .remedy = ""});
  };
  errno = 0;
  std::ifstream stream{file, std::ios::binary};
  if (!stream) return unreadable(errno);
  std::string text(kMostBytes + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (stream.bad()) return unreadable(errno);
  text.resize(static_cast<std::size_t>(stream.gcount()));
  if (text.size() > kMostBytes) {
    return one_problem({.path = "",
                        .place = {},
                        .what = "has more than " + size_text(kMostBytes),
                        .remedy = "no configuration needs that"});
  }
  return parse_settings(text, find_user);
}

std::string problems_text(const std::string& file, const std::vector<SettingsProblem>& problems) {
  std::string text;
  for (const SettingsProblem& problem : problems) {
    text += file + ":" + (problem.place ? "" : " ") + problem.message() + "\n";
  }
  return text;
}

}  // namespace smaps_audit
