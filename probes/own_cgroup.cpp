// SPDX-License-Identifier: Apache-2.0
#include "probes/own_cgroup.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <sstream>
#include <vector>

#include "base/unique_fd.h"
#include "collect/target.h"

namespace smaps_audit::probes {
namespace {

constexpr int kRemovalAttempts = 2000;
constexpr useconds_t kRemovalPauseMicroseconds = 5000;

/// Allocates nothing: a guardian's act.
void remove(const std::string& path, const std::string& kill) {
  write_file(kill, "1");
  for (int attempt = 0; attempt < kRemovalAttempts; ++attempt) {
    if (::rmdir(path.c_str()) == 0 || errno == ENOENT) return;
    ::usleep(kRemovalPauseMicroseconds);
  }
}

}  // namespace

bool write_file(const std::string& path, const std::string& text) {
  const UniqueFd file{::open(path.c_str(), O_WRONLY | O_CLOEXEC)};
  return file && ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

std::optional<std::string> cgroup2_mount(const std::string& mountinfo) {
  // 29 24 0:25 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw
  std::istringstream lines{mountinfo};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words{line};
    std::vector<std::string> before;
    std::string word;
    while (words >> word && word != "-") before.push_back(word);
    if (words >> word && word == "cgroup2" && before.size() > 4 && before[3] == "/") {
      return before[4];
    }
  }
  return std::nullopt;
}

std::optional<std::string> cgroup2_path(const std::string& cgroup) {
  std::istringstream lines{cgroup};
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("0::/")) return line.substr(3);
  }
  return std::nullopt;
}

std::optional<OwnCgroup> OwnCgroup::create(KernelView& view, std::uint64_t memory_bytes) {
  static unsigned number = 0;
  const auto mounts = read_file(view, KernelRoot::proc, "self/mountinfo");
  const auto own = read_file(view, KernelRoot::proc, "self/cgroup");
  if (!mounts || !own) return std::nullopt;
  const auto mount = cgroup2_mount(*mounts);
  const auto below = cgroup2_path(*own);
  if (!mount || !below) return std::nullopt;
  const std::string ours = *mount + *below + (below->ends_with('/') ? "" : "/");
  if (::access(ours.c_str(), W_OK) != 0) return std::nullopt;
  const std::string path =
      ours + "smaps-audit-probe-" + std::to_string(::getpid()) + "-" + std::to_string(++number);
  // First, so that there is no moment at which nobody would remove it.
  auto guardian = Guardian::start(-1, [path, kill = path + "/cgroup.kill"] { remove(path, kill); });
  if (!guardian || ::mkdir(path.c_str(), 0755) != 0) return std::nullopt;
  write_file(path + "/memory.max", std::to_string(memory_bytes));
  return OwnCgroup{path, *std::move(guardian)};
}

bool OwnCgroup::admit(pid_t pid) const {
  return write_file(path_ + "/cgroup.procs", std::to_string(pid));
}

}  // namespace smaps_audit::probes
