// SPDX-License-Identifier: Apache-2.0
#include "collect/host_memory.h"

#include <algorithm>
#include <limits>

#include "base/parse_int.h"
#include "collect/target.h"
#include "parsers/proc_stat.h"
#include "parsers/smaps.h"

namespace smaps_audit {
namespace {

struct Listed {
  int pid = 0;
  std::uint64_t start_time_ticks = 0;
  bool operator==(const Listed&) const = default;
};

/// Processes that have, or may have, memory of their own.
struct Listing {
  std::vector<Listed> processes;
  bool whole = false;
};

/// The second number of "0.20 0.18 0.12 1/80 11206" counts the threads of all pid namespaces.
std::optional<std::uint64_t> threads_of_host(KernelView& view) {
  const auto text = read_file(view, KernelRoot::proc, "loadavg");
  if (!text) return std::nullopt;
  const std::size_t slash = text->find('/');
  if (slash == std::string::npos) return std::nullopt;
  const std::string_view rest = std::string_view{*text}.substr(slash + 1);
  return parse_unsigned(rest.substr(0, rest.find(' ')));
}

Listing list_processes(KernelView& view) {
  Listing listing;
  const auto threads_before = threads_of_host(view);
  const Result<KernelFile> root = view.open_directory(KernelRoot::proc, ".");
  if (!root || !threads_before) return listing;
  const Result<std::vector<std::string>> names = view.list(*root);
  if (!names) return listing;
  std::uint64_t threads = 0;
  for (const std::string& name : *names) {
    const std::optional<std::uint64_t> pid = parse_unsigned(name);
    if (!pid || *pid == 0 || *pid > std::numeric_limits<int>::max()) continue;
    const auto text = read_file(view, KernelRoot::proc, name + "/stat");
    if (!text) return listing;
    const Result<ProcStat> stat = parse_proc_stat(*text);
    if (!stat) return listing;
    threads += stat->num_threads;
    const bool ended = stat->has_exited();
    if (ended && stat->num_threads > 1) return listing;  // its threads have the memory
    if (ended || stat->is_kernel_thread()) continue;
    listing.processes.push_back({static_cast<int>(*pid), stat->start_time_ticks});
  }
  listing.whole = threads == *threads_before && threads_of_host(view) == threads_before;
  return listing;
}

/// Address spaces that were counted already: a group that shares one (vfork, CLONE_VM) counts once.
class AddressSpaces {
 public:
  explicit AddressSpaces(KernelView& view) : view_(view) {}

  /// nullopt: the kernel does not tell (no kcmp).
  std::optional<bool> is_new(int pid, const VmaHeader& header) {
    const Seen now{.pid = pid, .start = header.start, .end = header.end};
    for (const Seen& seen : seen_) {
      if (seen.start != now.start || seen.end != now.end) continue;
      const Result<bool> same = view_.same_mm(seen.pid, pid);
      if (!same) return std::nullopt;
      if (*same) return false;
    }
    seen_.push_back(now);
    return true;
  }

 private:
  struct Seen {
    int pid = 0;
    std::uint64_t start = 0;
    std::uint64_t end = 0;
  };

  KernelView& view_;
  std::vector<Seen> seen_;
};

/// False: the look is not whole.
bool add_share(KernelView& view, const Listed& process, AddressSpaces& spaces,
               const std::optional<CgroupQuestion>& cgroup, HostMemory& memory) {
  const auto text =
      read_file(view, KernelRoot::proc, std::to_string(process.pid) + "/smaps_rollup");
  if (!text) return false;
  const Result<SmapsRecord> rollup = parse_smaps_rollup(*text);
  if (!rollup) return false;
  const SmapsValues& values = rollup->values;
  const auto anon = values.bytes(SmapsField::pss_anon);
  const auto file = values.bytes(SmapsField::pss_file);
  const auto shmem = values.bytes(SmapsField::pss_shmem);
  if (!anon || !file || !shmem) return false;
  const std::optional<bool> fresh = spaces.is_new(process.pid, rollup->header);
  if (!fresh) return false;
  if (!*fresh) return true;
  memory.shares.push_back({.pid = process.pid,
                           .start_time_ticks = process.start_time_ticks,
                           .pss_anon = *anon,
                           .pss_shared = *file + *shmem,
                           .anon_huge = values.bytes(SmapsField::anon_huge_pages).value_or(0),
                           .member = cgroup && cgroup->is_member(process.pid)});
  return true;
}

bool read_counters(KernelView& view, const std::optional<CgroupQuestion>& cgroup, Meminfo& meminfo,
                   std::optional<MemoryStat>& stat) {
  const auto text = read_file(view, KernelRoot::proc, "meminfo");
  if (!text) return false;
  const Result<Meminfo> parsed = parse_meminfo(*text);
  if (!parsed) return false;
  meminfo = *parsed;
  if (!cgroup) return true;
  const auto stat_text = read_file(view, KernelRoot::sys, cgroup->memory_stat);
  if (!stat_text) return false;
  const Result<MemoryStat> parsed_stat = parse_memory_stat(*stat_text);
  if (!parsed_stat) return false;
  stat = *parsed_stat;
  return true;
}

bool has_device_memory(KernelView& view) {
  if (const Result<KernelFile> bus = view.open_directory(KernelRoot::sys, "bus/dax/devices")) {
    const Result<std::vector<std::string>> devices = view.list(*bus);
    if (!devices || !devices->empty()) return true;
  }
  const auto mounts = read_file(view, KernelRoot::proc, "self/mountinfo");
  return !mounts || mounts->find(",dax") != std::string::npos ||
         mounts->find(" dax") != std::string::npos;
}

}  // namespace

std::optional<HostMemory> read_host_memory(KernelView& view,
                                           const std::optional<CgroupQuestion>& cgroup) {
  HostMemory memory;
  memory.device_memory = has_device_memory(view);
  const Listing before = list_processes(view);
  if (!before.whole || !read_counters(view, cgroup, memory.before, memory.stat_before)) {
    return std::nullopt;
  }
  AddressSpaces spaces{view};
  for (const Listed& process : before.processes) {
    if (!add_share(view, process, spaces, cgroup, memory)) return std::nullopt;
  }
  if (!read_counters(view, cgroup, memory.after, memory.stat_after)) return std::nullopt;
  const Listing after = list_processes(view);
  if (!after.whole || after.processes != before.processes) return std::nullopt;
  return memory;
}

}  // namespace smaps_audit
