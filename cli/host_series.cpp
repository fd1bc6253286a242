// SPDX-License-Identifier: Apache-2.0
#include "cli/host_series.h"

#include <random>

#include "cli/select.h"
#include "collect/target.h"

namespace smaps_audit {
namespace {

constexpr unsigned kMostFailures = 12;
constexpr unsigned kMostFailuresAtFirst = 4;  // a host that is never quiet is not worth a wait
constexpr Nanoseconds kShortestPause = std::chrono::milliseconds(100);
constexpr Nanoseconds kLongestPause = std::chrono::milliseconds(500);
constexpr Nanoseconds kMostTime = std::chrono::seconds(30);

std::vector<HostNote> run_series(KernelView& view, const HostInfo& host, const std::string& cgroup,
                                 const std::optional<CgroupQuestion>& question,
                                 const std::function<int()>& stop_signal) {
  constexpr std::uint64_t kMostCpus = 8192;
  HostWatch watch{host.cpus.value_or(kMostCpus), host.numa_nodes, cgroup};
  std::minstd_rand random{static_cast<std::minstd_rand::result_type>(view.entropy())};
  std::uniform_int_distribution<Nanoseconds::rep> pause{kShortestPause.count(),
                                                        kLongestPause.count()};
  const Nanoseconds begun = view.monotonic_now();
  unsigned failures = 0;
  while (stop_signal() == 0) {
    const std::optional<HostMemory> memory = read_host_memory(view, question);
    if (memory) watch.on_round(*memory);
    const bool begins = watch.rounds() == 0;
    if (!memory && ++failures == (begins ? kMostFailuresAtFirst : kMostFailures)) break;
    if (!watch.alive()) break;
    const Nanoseconds taken = view.monotonic_now() - begun;
    if (taken >= kHostSpan && watch.rounds() >= kHostRounds) return watch.notes();
    if (taken >= kMostTime) break;
    view.sleep_for(begins ? kShortestPause : Nanoseconds{pause(random)});
  }
  return {};
}

/// The first that is there.
std::optional<std::string> find_memory_stat(KernelView& view, const std::string& path,
                                            const std::string& sys_root) {
  for (const std::string& candidate : memory_stat_paths(path, sys_root)) {
    if (view.open(KernelRoot::sys, candidate)) return candidate;
  }
  return std::nullopt;
}

std::string cgroup_of(KernelView& view, int pid) {
  return read_file(view, KernelRoot::proc, std::to_string(pid) + "/cgroup").value_or("");
}

}  // namespace

std::vector<std::string> memory_stat_paths(std::string_view path, std::string_view sys_root) {
  while (path.ends_with('/')) path.remove_suffix(1);
  while (sys_root.ends_with('/')) sys_root.remove_suffix(1);
  const std::string mount = std::string{sys_root} + "/fs/cgroup";
  const bool mounted =
      path.starts_with(mount) && (path.size() == mount.size() || path[mount.size()] == '/');
  if (mounted) path.remove_prefix(mount.size());
  while (path.starts_with('/')) path.remove_prefix(1);
  std::vector<std::string> paths;
  for (const char* hierarchy : {"fs/cgroup/", "fs/cgroup/memory/"}) {
    std::string file{hierarchy};
    file += path;
    file += path.empty() ? "memory.stat" : "/memory.stat";
    paths.push_back(std::move(file));
  }
  return paths;
}

std::vector<HostNote> ask_host(KernelView& view, const HostInfo& host, const Selection& selection,
                               const std::optional<std::string>& sys_root,
                               const std::function<int()>& stop_signal) {
  std::vector<HostNote> notes;
  const std::string mount = sys_root.value_or("/sys");
  if (selection.all) notes = run_series(view, host, "", std::nullopt, stop_signal);
  for (const std::string& cgroup : selection.cgroups) {
    const std::optional<std::string> memory_stat = find_memory_stat(view, cgroup, mount);
    if (!memory_stat) continue;
    const CgroupQuestion question{.memory_stat = *memory_stat, .is_member = [&](int pid) {
                                    return in_cgroup(cgroup_of(view, pid), cgroup, mount);
                                  }};
    for (HostNote& note : run_series(view, host, cgroup, question, stop_signal)) {
      notes.push_back(std::move(note));
    }
  }
  return notes;
}

}  // namespace smaps_audit
