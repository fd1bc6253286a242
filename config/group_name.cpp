// SPDX-License-Identifier: Apache-2.0
#include "config/group_name.h"

#include <algorithm>
#include <array>
#include <vector>

namespace smaps_audit {
namespace {

constexpr std::string_view kDigits = "0123456789";
constexpr std::string_view kHex = "0123456789abcdef";
constexpr std::size_t kShortestHexId = 32;  // a machine id; containers have 64
constexpr std::size_t kUuidLength = 36;

bool is_all_of(std::string_view text, std::string_view letters) {
  return !text.empty() && text.find_first_not_of(letters) == std::string_view::npos;
}

// systemd writes the dashes of a pod's uuid as underscores.
bool is_uuid(std::string_view text) {
  if (text.size() != kUuidLength) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' && text[i] != '_' : kHex.find(text[i]) == std::string_view::npos) {
      return false;
    }
  }
  return true;
}

bool is_id(std::string_view text) {
  return is_uuid(text) || (text.size() >= kShortestHexId && is_all_of(text, kHex));
}

/// "docker-<id>" to "docker"; the whole of it where there is no id.
std::string_view without_trailing_id(std::string_view stem) {
  for (std::size_t at = stem.find_first_of("-._"); at != std::string_view::npos;
       at = stem.find_first_of("-._", at + 1)) {
    if (is_id(stem.substr(at + 1))) return stem.substr(0, at);
  }
  return stem;
}

// "7", "c2" of a session; "u12", "r<32 hex>", "p1234-i5678" of systemd-run.
bool is_session_number(std::string_view text) {
  if (text.starts_with('c')) text.remove_prefix(1);
  return is_all_of(text, kDigits);
}
bool is_run_number(std::string_view text) {
  if (text.starts_with('u')) return is_all_of(text.substr(1), kDigits);
  if (text.starts_with('r')) return text.size() > kShortestHexId && is_all_of(text.substr(1), kHex);
  return text.starts_with('p') && is_all_of(text.substr(1), "0123456789-i");
}
bool is_uid(std::string_view text) { return is_all_of(text, kDigits); }

struct NumberedUnit {
  std::string_view prefix;  ///< up to the dash
  bool (*is_number)(std::string_view);
};
constexpr std::array kNumberedUnits{NumberedUnit{"session", is_session_number},
                                    NumberedUnit{"run", is_run_number},
                                    NumberedUnit{"user", is_uid}};

/// "machine-qemu\x2d3\x2dweb": the driver tells kinds apart, number and name the machines.
std::string machine_name(std::string_view stem) {
  constexpr std::string_view kMachine = "machine-";
  const std::size_t escaped_dash = stem.find("\\x2d");
  if (escaped_dash == std::string_view::npos) return "machine";
  return std::string{kMachine} +
         std::string{stem.substr(kMachine.size(), escaped_dash - kMachine.size())};
}

std::string unit_group(std::string_view unit) {
  const std::size_t dot = unit.rfind('.');
  const std::string_view stem = unit.substr(0, dot);
  const std::string suffix{dot == std::string_view::npos ? "" : unit.substr(dot)};
  const std::size_t at = stem.find('@');
  if (at != std::string_view::npos) {
    // dbus-broker names an activated service after the connection, too: dbus-:1.2-org.x@0.service.
    std::string_view name = stem.substr(0, at);
    constexpr std::string_view kBus = "dbus-:";
    const std::size_t dash = name.starts_with(kBus) ? name.find('-', kBus.size()) : name.npos;
    const std::string bus = dash == name.npos ? "" : "dbus";
    if (dash != name.npos) name.remove_prefix(dash);
    return bus + std::string{name} + "@" + suffix;
  }
  if (stem.starts_with("machine-") && suffix == ".scope") return machine_name(stem) + suffix;
  for (const NumberedUnit& row : kNumberedUnits) {
    if (stem.starts_with(row.prefix) && stem.size() > row.prefix.size() &&
        stem[row.prefix.size()] == '-' && row.is_number(stem.substr(row.prefix.size() + 1))) {
      return std::string{row.prefix} + suffix;
    }
  }
  return std::string{without_trailing_id(stem)} + suffix;
}

std::vector<std::string_view> components_of(std::string_view path) {
  std::vector<std::string_view> components;
  while (!path.empty()) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    if (slash > 0) components.push_back(path.substr(0, slash));
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  return components;
}

/// "pod<uuid>", as the last word of a component: where it begins.
std::size_t pod_at(std::string_view component) {
  const std::string_view stem = component.substr(0, component.rfind(".slice"));
  const std::size_t pod = stem.rfind("pod");
  if (pod == std::string_view::npos || (pod > 0 && stem[pod - 1] != '-')) return component.npos;
  return is_id(stem.substr(pod + 3)) ? pod : component.npos;
}

std::string joined(const std::vector<std::string_view>& components) {
  std::string text;
  for (const std::string_view part : components) {
    text += (text.empty() ? "" : "/") + std::string{part};
  }
  return text;
}

/// Of a pod's containers: the slice that the pod is in. Empty: no pod.
std::string pod_group(const std::vector<std::string_view>& components) {
  for (std::size_t i = 0; i < components.size(); ++i) {
    const std::size_t pod = pod_at(components[i]);
    if (pod == std::string_view::npos) continue;
    if (pod > 0) return std::string{components[i].substr(0, pod - 1)} + ".slice";
    return joined({components.begin(), components.begin() + static_cast<std::ptrdiff_t>(i)});
  }
  return "";
}

/// What is left of a path that no unit manages: up to the first id.
std::string path_group(const std::vector<std::string_view>& components) {
  std::vector<std::string_view> kept;
  for (const std::string_view part : components) {
    const std::string_view name = without_trailing_id(part);
    if (is_id(name) || is_all_of(name, kDigits)) break;
    kept.push_back(name);
    if (name != part) break;
  }
  return joined(kept);
}

std::string fit_for_a_label(std::string_view name) {
  std::string fit;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = byte >= 0x20U && byte < 0x7FU;
    const std::size_t needs = plain ? 1 : 4;
    if (fit.size() + needs > kLongestGroupName) break;
    if (plain) {
      fit += c;
    } else {
      fit += {'\\', 'x', kHex[byte >> 4U], kHex[byte & 0xFU]};
    }
  }
  return fit == kOtherGroup ? fit + "_" : fit;
}

}  // namespace

std::string group_name(std::string_view unit, std::string_view cgroup) {
  const std::vector<std::string_view> components = components_of(cgroup);
  std::string name = pod_group(components);
  if (name.empty() && !unit.empty()) name = unit_group(unit);
  if (name.empty()) name = path_group(components);
  return name.empty() ? std::string{kNoGroup} : fit_for_a_label(name);
}

}  // namespace smaps_audit
