// SPDX-License-Identifier: Apache-2.0
#include "probes/child_message.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/hex.h"
#include "base/parse_int.h"

namespace smaps_audit::probes {
namespace {

constexpr std::array<std::string_view, 3> kRoles{"subject", "negative", "positive"};

struct Writer {
  std::string operator()(const RegionTruth& region) const {
    return "region " + region.name + " " +
           std::string{kRoles[static_cast<std::size_t>(region.role)]} + " " +
           hex(region.range.first) + " " + hex(region.range.last) + " " +
           std::to_string(region.resident_bytes);
  }
  std::string operator()(const Fact& fact) const {
    return "fact " + fact.name + " " + std::to_string(fact.value);
  }
  std::string operator()(const ForgetRegions& /*none*/) const { return "forget"; }
  std::string operator()(const Hold& hold) const { return "hold " + hold.state; }
  std::string operator()(const End& end) const {
    if (!end.outcome) return "done";
    return std::string{name_of(*end.outcome)} + " " + end.reason;
  }
};

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  while (!line.empty()) {
    const std::size_t blank = line.find(' ');
    words.push_back(line.substr(0, blank));
    line.remove_prefix(blank == std::string_view::npos ? line.size() : blank + 1);
  }
  return words;
}

std::optional<ChildMessage> parse_region(const std::vector<std::string_view>& words) {
  if (words.size() != 6) return std::nullopt;
  const auto* const role = std::find(kRoles.begin(), kRoles.end(), words[2]);
  const auto first = parse_unsigned(words[3], 16);
  const auto last = parse_unsigned(words[4], 16);
  const auto resident = parse_unsigned(words[5]);
  if (role == kRoles.end() || !first || !last || !resident) return std::nullopt;
  if (*first >= *last || *resident > *last - *first) return std::nullopt;
  return RegionTruth{.name = std::string{words[1]},
                     .role = static_cast<Role>(role - kRoles.begin()),
                     .range = {*first, *last},
                     .resident_bytes = *resident};
}

std::optional<ChildMessage> parse_message(std::string_view line) {
  const std::vector<std::string_view> words = words_of(line);
  if (words.empty()) return std::nullopt;
  if (words[0] == "region") return parse_region(words);
  if (words[0] == "fact" && words.size() == 3) {
    const auto value = parse_signed(words[2]);
    if (!value) return std::nullopt;
    return Fact{std::string{words[1]}, *value};
  }
  if (line == "forget") return ForgetRegions{};
  if (words[0] == "hold" && words.size() == 2) return Hold{std::string{words[1]}};
  if (line == "done") return End{};
  for (const Outcome outcome : {Outcome::skipped, Outcome::inconclusive}) {
    const std::string_view name = name_of(outcome);
    if (words[0] == name && line.size() > name.size() + 1) {
      return End{outcome, std::string{line.substr(name.size() + 1)}};
    }
  }
  return std::nullopt;
}

}  // namespace

std::string to_line(const ChildMessage& message) {
  std::string line = std::visit(Writer{}, message);
  std::replace(line.begin(), line.end(), '\n', ' ');
  return line + "\n";
}

Result<ChildMessage> parse_child_message(std::string_view line) {
  if (auto message = parse_message(line)) return *std::move(message);
  return Error{.code = ErrorCode::malformed,
               .what = "the probe's child wrote \"" + std::string{line.substr(0, 80)} + "\""};
}

}  // namespace smaps_audit::probes
