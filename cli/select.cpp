// SPDX-License-Identifier: Apache-2.0
#include "cli/select.h"

#include <algorithm>
#include <limits>

#include "base/parse_int.h"
#include "collect/target.h"
#include "parsers/proc_cgroup.h"
#include "parsers/proc_status.h"

namespace smaps_audit {
namespace {

constexpr std::size_t kMostBytes = std::size_t{1} << 20;

std::optional<int> to_pid(std::string_view name) {
  const std::optional<std::uint64_t> value = parse_unsigned(name);
  if (!value || *value == 0 || *value > std::numeric_limits<int>::max()) return std::nullopt;
  return static_cast<int>(*value);
}

// Fails for a process that has gone or that hides this file; then nothing selects it.
std::optional<std::string> text_of(KernelView& view, int pid, std::string_view name) {
  Result<std::string> text =
      read_file(view, KernelRoot::proc, std::to_string(pid) + "/" + std::string{name}, kMostBytes);
  if (!text) return std::nullopt;
  return *std::move(text);
}

bool has_comm(KernelView& view, int pid, const std::vector<std::string>& comms) {
  std::optional<std::string> comm = text_of(view, pid, "comm");
  if (!comm) return false;
  if (comm->ends_with('\n')) comm->pop_back();
  return std::find(comms.begin(), comms.end(), *comm) != comms.end();
}

bool has_user(KernelView& view, int pid, const std::vector<std::uint32_t>& users) {
  const std::optional<std::string> text = text_of(view, pid, "status");
  if (!text) return false;
  const Result<ProcStatus> status = parse_proc_status(*text);
  if (!status || !status->real_uid) return false;
  return std::find(users.begin(), users.end(), *status->real_uid) != users.end();
}

bool has_cgroup(KernelView& view, int pid, const Selection& selection, std::string_view sys_root) {
  const std::optional<std::string> text = text_of(view, pid, "cgroup");
  if (!text) return false;
  return std::any_of(selection.cgroups.begin(), selection.cgroups.end(),
                     [&](const std::string& path) { return in_cgroup(*text, path, sys_root); });
}

bool is_below(std::string_view path, std::string_view ancestor) {
  if (ancestor.empty()) return true;
  return path.starts_with(ancestor) &&
         (path.size() == ancestor.size() || path[ancestor.size()] == '/');
}

std::string_view without_trailing_slashes(std::string_view path) {
  while (path.ends_with('/')) path.remove_suffix(1);
  return path;
}

// "memory,cpu" of v1 holds "memory" and is itself a name of the mount.
bool is_controller(std::string_view controllers, std::string_view name) {
  if (controllers == name || controllers == "name=" + std::string{name}) return true;
  while (!controllers.empty()) {
    const std::size_t comma = controllers.find(',');
    if (controllers.substr(0, comma) == name) return true;
    if (comma == std::string_view::npos) break;
    controllers.remove_prefix(comma + 1);
  }
  return false;
}

bool line_is_in(std::string_view controllers, std::string_view cgroup, std::string_view path,
                std::string_view mount) {
  if (!path.starts_with(mount) || !is_below(path, mount)) return is_below(cgroup, path);
  std::string_view inside = path.substr(mount.size());
  if (controllers.empty()) return is_below(cgroup, inside);
  if (!inside.starts_with('/')) return true;
  inside.remove_prefix(1);
  const std::size_t slash = inside.find('/');
  const std::string_view rest = slash == std::string_view::npos ? "" : inside.substr(slash);
  return is_controller(controllers, inside.substr(0, slash)) && is_below(cgroup, rest);
}

}  // namespace

bool in_cgroup(std::string_view cgroup_text, std::string_view path, std::string_view sys_root) {
  path = without_trailing_slashes(path);
  const std::string rooted =
      path.empty() || path.starts_with('/') ? std::string{path} : "/" + std::string{path};
  const std::string mount = std::string{without_trailing_slashes(sys_root)} + "/fs/cgroup";
  const auto lines = parse_proc_cgroup(cgroup_text);
  return lines && std::any_of(lines->begin(), lines->end(), [&](const CgroupLine& line) {
           return line_is_in(line.controllers, without_trailing_slashes(line.path), rooted, mount);
         });
}

Result<std::vector<int>> select_processes(KernelView& view, const Selection& selection,
                                          const std::optional<std::string>& sys_root) {
  std::vector<int> pids = selection.pids;
  if (selection.all || selection.has_filter()) {
    const Result<KernelFile> root = view.open_directory(KernelRoot::proc, ".");
    if (!root) return root.error();
    const Result<std::vector<std::string>> names = view.list(*root);
    if (!names) return names.error();
    const std::string mount = sys_root.value_or("/sys");
    for (const std::string& name : *names) {
      const std::optional<int> pid = to_pid(name);
      if (!pid) continue;
      if (!selection.comms.empty() && !has_comm(view, *pid, selection.comms)) continue;
      if (!selection.users.empty() && !has_user(view, *pid, selection.users)) continue;
      if (!selection.cgroups.empty() && !has_cgroup(view, *pid, selection, mount)) continue;
      pids.push_back(*pid);
    }
  }
  std::sort(pids.begin(), pids.end());
  pids.erase(std::unique(pids.begin(), pids.end()), pids.end());
  return pids;
}

std::optional<int> own_pid_in(KernelView& view) {
  const Result<KernelFile> root = view.open_directory(KernelRoot::proc, ".");
  if (!root) return std::nullopt;
  const Result<std::string> self = view.read_link(*root, "self");
  if (!self) return std::nullopt;
  return to_pid(*self);
}

}  // namespace smaps_audit
