// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <thread>

#include "tests/workloads/adversary.h"
#include "tests/workloads/adversary_support.h"

namespace smaps_audit::workloads {
namespace {

constexpr std::size_t kLimitBytes = 24 * kMiB;
constexpr std::size_t kFileBytes = 40 * kMiB;
constexpr std::size_t kAnonymousBytes = 32 * kMiB;
constexpr std::size_t kShmemBytes = 8 * kMiB;

/// Where a memory cgroup can be made, the second generation first.
struct Hierarchy {
  const char* root;
  const char* limit;  ///< file of the cgroup
};
constexpr std::array kHierarchies{Hierarchy{"/sys/fs/cgroup", "memory.max"},
                                  Hierarchy{"/sys/fs/cgroup/unified", "memory.max"},
                                  Hierarchy{"/sys/fs/cgroup/memory", "memory.limit_in_bytes"}};

/// Once this process is gone, the cgroup goes: a child waits for that. It holds no stdout, whose
/// end others wait for.
void remove_when_we_are_gone(const std::string& directory) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) die("pipe2");
  const pid_t pid = fork();
  if (pid < 0) die("fork");
  if (pid == 0) {
    close(STDOUT_FILENO);
    close(ends[1]);
    char byte = 0;
    while (read(ends[0], &byte, 1) < 0 && errno == EINTR) {
    }
    for (int i = 0; i < 200 && rmdir(directory.c_str()) != 0; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    _exit(0);
  }
  close(ends[0]);  // ends[1] stays open as long as this process is there
}

/// A memory cgroup with a limit, and this process in it.
void enter_cgroup(const Run& run) {
  for (const Hierarchy& hierarchy : kHierarchies) {
    const std::string root = hierarchy.root;
    write_text((root + "/cgroup.subtree_control").c_str(), "+memory");
    const std::string directory = root + "/never-wolf-" + std::to_string(getpid());
    if (mkdir(directory.c_str(), 0700) != 0) continue;
    if (write_text((directory + "/" + hierarchy.limit).c_str(),
                   std::to_string(kLimitBytes).c_str())) {
      remove_when_we_are_gone(directory);
      if (!write_text((directory + "/cgroup.procs").c_str(), "0")) die("cgroup.procs");
      return;
    }
    rmdir(directory.c_str());
  }
  run.skip("no memory cgroup can be made here");
}

}  // namespace

void run_memcg_limit(const Run& run) {
  enter_cgroup(run);
  const int fd = make_file(kFileBytes);
  const Memory file = map_file(fd, kFileBytes, MAP_SHARED);
  const Memory anonymous = map_guarded(kLimitBytes / 4, Pages::base);
  touch_write(anonymous);
  // Written out page by page: what is dirty cannot be reclaimed.
  for (std::size_t at = 0; at < kFileBytes; at += kMiB) {
    touch_write(file.subspan(at, kMiB));
    if (fdatasync(fd) != 0) die("fdatasync");
  }
  run.announce({getpid()});
  Random random(1);
  while (!run.over()) {
    touch_read(random_run(file, random, 1024));
    touch_read(random_run(file, random, 64));
    advise(random_run(anonymous, random, 64), MADV_DONTNEED);
    touch_write(random_run(anonymous, random, 64));
  }
}

void run_swap(const Run& run) {
  const std::string swaps = text_or_empty("/proc/swaps");
  if (swaps.find("\n/") == std::string::npos) run.skip("no swap (/proc/swaps)");
  enter_cgroup(run);
  const Memory anonymous = map_guarded(kAnonymousBytes, Pages::base);
  const int fd = make_memfd("adversary", kShmemBytes);
  const Memory shmem = map_file(fd, kShmemBytes, MAP_SHARED);
  touch_write(anonymous);
  touch_write(shmem);
  run.announce({getpid()});
  Random random(1);
  while (!run.over()) {
    for (int i = 0; i < 16; ++i) {
      touch_write(random_run(anonymous, random, 256));
      touch_read(random_run(anonymous, random, 256));
      touch_write(random_run(shmem, random, 128));
      advise(random_run(anonymous, random, 32), MADV_DONTNEED);
      advise(random_run(anonymous, random, 256), MADV_PAGEOUT);
    }
  }
}

}  // namespace smaps_audit::workloads
