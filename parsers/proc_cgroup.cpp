// SPDX-License-Identifier: Apache-2.0
#include "parsers/proc_cgroup.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/parse_int.h"

namespace smaps_audit {
namespace {

constexpr std::string_view kDeleted = " (deleted)";

// What a process can be in; mounts and sockets have processes while they are set up.
constexpr std::array<std::string_view, 5> kKinds{".service", ".scope", ".socket", ".mount",
                                                 ".swap"};

bool is_unit(std::string_view name) {
  return std::any_of(kKinds.begin(), kKinds.end(), [name](std::string_view kind) {
    return name.size() > kind.size() && name.ends_with(kind);
  });
}

bool is_slice(std::string_view name) { return name.ends_with(".slice"); }

/// The next component of a path, taken off its front.
std::string_view take_component(std::string_view& path) {
  while (path.starts_with('/')) path.remove_prefix(1);
  const std::string_view component = path.substr(0, path.find('/'));
  path.remove_prefix(component.size());
  return component;
}

/// A manager keeps its units in slices, at any depth.
std::string_view take_unit(std::string_view& path) {
  std::string_view component = take_component(path);
  while (is_slice(component)) component = take_component(path);
  return is_unit(component) ? component : std::string_view{};
}

bool is_root(std::string_view path) { return path.empty() || path == "/"; }

}  // namespace

Result<std::vector<CgroupLine>> parse_proc_cgroup(std::string_view text) {
  std::vector<CgroupLine> lines;
  std::uint64_t number = 0;
  while (!text.empty()) {
    ++number;
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) {
      return Error{.code = ErrorCode::truncated, .what = "a line without its end", .line = number};
    }
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first == line.npos ? first : first + 1);
    if (second == std::string_view::npos || !parse_unsigned(line.substr(0, first))) {
      return Error{.code = ErrorCode::malformed,
                   .what = "no number, controllers and path between colons",
                   .line = number};
    }
    std::string_view path = line.substr(second + 1);
    if (path.ends_with(kDeleted)) path.remove_suffix(kDeleted.size());
    lines.push_back({.controllers = line.substr(first + 1, second - first - 1), .path = path});
  }
  return lines;
}

std::string_view telling_cgroup(const std::vector<CgroupLine>& lines) {
  for (const std::string_view wanted : {"", "name=systemd", "memory"}) {
    for (const CgroupLine& line : lines) {
      if (line.controllers == wanted && !is_root(line.path)) return line.path;
    }
  }
  for (const CgroupLine& line : lines) {
    if (!is_root(line.path)) return line.path;
  }
  return lines.empty() ? std::string_view{} : lines.front().path;
}

SystemdUnits units_of_cgroup(std::string_view path) {
  SystemdUnits units;
  units.unit = take_unit(path);
  if (units.unit.starts_with("user@") && units.unit.ends_with(".service")) {
    units.user_unit = take_unit(path);
  }
  return units;
}

}  // namespace smaps_audit
