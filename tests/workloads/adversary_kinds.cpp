// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <string_view>
#include <vector>

#include "tests/workloads/adversary.h"
#include "tests/workloads/adversary_support.h"

namespace smaps_audit::workloads {
namespace {

constexpr std::size_t kMergedBytes = 16 * kMiB;
constexpr std::size_t kHugetlbBytes = 8 * kPmdBytes;
constexpr std::size_t kSecretBytes = 8 * kMiB;
constexpr std::size_t kGuardedBytes = 16 * kMiB;
constexpr std::size_t kShmemBytes = 16 * kMiB;
constexpr std::size_t kThpBytes = 32 * kMiB;
constexpr std::chrono::milliseconds kLongestRest{30};
constexpr int kDontneedLocked = 24;  // MADV_DONTNEED_LOCKED, Linux 5.18

/// Files of /sys that the runner sets for the time of an adversary (never_wolf.py), never we.
bool says(const char* path, std::string_view word) {
  return text_or_empty(path).find(word) != std::string::npos;
}

Memory map_plain(std::size_t bytes, int flags) {
  void* const base =
      mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
  if (base == MAP_FAILED) die("mmap");
  return {static_cast<std::byte*>(base), bytes};
}

void punch(int fd, Memory whole, Memory hole) {
  const auto offset = static_cast<off_t>(hole.data() - whole.data());
  if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset,
                static_cast<off_t>(hole.size())) != 0) {
    die("FALLOC_FL_PUNCH_HOLE");
  }
}

/// A file of a tmpfs of our own, which nobody else sees and which goes with us; the switch
/// shmem_enabled of the machine does not matter to it.
int make_huge_file(const Run& run) {
  std::string path = "/tmp/adversary-shmem-XXXXXX";
  if (mkdtemp(path.data()) == nullptr) die("mkdtemp");
  const bool mounted =
      unshare(CLONE_NEWNS) == 0 &&
      (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 || errno == EINVAL) &&
      mount("adversary", path.c_str(), "tmpfs", 0, "huge=always") == 0;
  const int error = errno;
  const int fd = mounted ? open((path + "/file").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
  if (mounted) umount2(path.c_str(), MNT_DETACH);
  rmdir(path.c_str());
  if (fd < 0) run.skip("no tmpfs with huge=always", error);
  if (ftruncate(fd, static_cast<off_t>(kShmemBytes)) != 0) die("ftruncate");
  return fd;
}

/// Mapped at 2 MiB by a fault, or after MADV_COLLAPSE.
bool has_shmem_thp(Memory memory) {
  madvise(memory.data(), kPmdBytes, kMadvCollapse);
  const std::string rollup = read_text("/proc/self/smaps_rollup");
  return rollup.find("ShmemPmdMapped:        0 kB") == std::string::npos;
}

/// Another process punches holes meanwhile; the file shrinks only where nobody touches it.
void truncate_and_refault(const Run& run, Pages pages) {
  const bool huge = pages == Pages::huge;
  const int fd = huge ? make_huge_file(run) : make_memfd("adversary", kShmemBytes);
  const Memory shared = map_file(fd, kShmemBytes, MAP_SHARED);
  const Memory copied = map_file(fd, kShmemBytes, MAP_PRIVATE);
  advise(shared, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
  touch_write(shared);
  touch_read(copied);
  if (huge && !has_shmem_thp(shared)) run.skip("no shmem THP although huge=always");
  in_child([&] {
    Random random(1);
    while (!run.over()) {
      punch(fd, shared, random_run(shared, random, 1024));
      if (random() % 4 == 0) random_pause(random, kLongestRest);
    }
  });
  run.announce({getpid()});
  Random random(2);
  while (!run.over()) {
    const auto kept = static_cast<off_t>(random() % (kShmemBytes / kPageBytes) * kPageBytes);
    if (random() % 8 == 0 &&
        (ftruncate(fd, kept) != 0 || ftruncate(fd, static_cast<off_t>(kShmemBytes)) != 0)) {
      die("ftruncate");
    }
    for (int i = 0; i < 16; ++i) {
      touch_write(random_run(shared, random, 512));
      touch_read(random_run(copied, random, 64));
      touch_write(random_run(copied, random, 16));
      advise(random_run(copied, random, 128), MADV_DONTNEED);
    }
    const std::size_t block = random() % (kShmemBytes / kPmdBytes) * kPmdBytes;
    if (huge) madvise(&shared[block], kPmdBytes, kMadvCollapse);
  }
}

void flip_runs(const Run& run, Memory memory, std::size_t most_pages) {
  Random random(1);
  while (!run.over()) {
    for (int i = 0; i < 32; ++i) {
      advise(random_run(memory, random, most_pages), MADV_DONTNEED);
      touch_write(random_run(memory, random, most_pages));
    }
    touch_read(random_run(memory, random, memory.size() / kPageBytes));
    if (random() % 16 == 0) random_pause(random, kLongestRest);
  }
}

}  // namespace

void run_ksm(const Run& run) {
  if (!says("/sys/kernel/mm/ksm/run", "1")) run.skip("KSM does not run (/sys/kernel/mm/ksm/run)");
  const Memory memory = map_guarded(kMergedBytes, Pages::base);
  touch_write(memory);
  if (madvise(memory.data(), memory.size(), MADV_MERGEABLE) != 0) run.skip("no KSM", errno);
  run.announce({getpid()});
  Random random(1);
  while (!run.over()) {
    for (int i = 0; i < 16; ++i) {
      touch_write(random_run(memory, random, 32));
      advise(random_run(memory, random, 32), MADV_DONTNEED);
      touch_read(random_run(memory, random, 32));
    }
    random_pause(random, kLongestRest);
    // The whole of it, lest it become many VMAs.
    if (random() % 16 == 0) advise(memory, MADV_UNMERGEABLE);
    advise(memory, MADV_MERGEABLE);
  }
}

void run_hugetlb(const Run& run) {
  void* const base = mmap(nullptr, kHugetlbBytes, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
  if (base == MAP_FAILED) run.skip("no huge pages reserved (/proc/sys/vm/nr_hugepages)", errno);
  const Memory huge{static_cast<std::byte*>(base), kHugetlbBytes};
  const Memory plain = map_guarded(kHugetlbBytes, Pages::base);
  touch_write(huge);
  touch_write(plain);
  run.announce({getpid()});
  Random random(1);
  while (!run.over()) {
    const Memory block =
        huge.subspan(random() % (kHugetlbBytes / kPmdBytes) * kPmdBytes, kPmdBytes);
    // Before Linux 5.18 it is refused; then the block just stays.
    madvise(block.data(), block.size(), MADV_DONTNEED);
    touch_write(block.first(kPageBytes));
    if (random() % 4 == 0) protect(huge, PROT_NONE);
    advise(random_run(plain, random, 64), MADV_DONTNEED);
    touch_write(random_run(plain, random, 64));
    protect(huge, PROT_READ | PROT_WRITE);
  }
}

void run_memfd_secret(const Run& run) {
  const int fd = static_cast<int>(syscall(SYS_memfd_secret, 0));
  if (fd < 0) run.skip("no memfd_secret", errno);
  if (ftruncate(fd, static_cast<off_t>(kSecretBytes)) != 0) die("ftruncate");
  const Memory memory = map_file(fd, kSecretBytes, MAP_SHARED);
  touch_write(memory);
  run.announce({getpid()});
  Random random(1);
  while (!run.over()) {
    const Memory gone = random_run(memory, random, 128);
    if (random() % 16 == 0) {
      // It was locked; what is mapped in its place has the same pages, not yet in the page table.
      if (munmap(memory.data(), memory.size()) != 0) die("munmap");
      if (mmap(memory.data(), memory.size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
               0) == MAP_FAILED) {
        die("mmap");
      }
    } else if (madvise(gone.data(), gone.size(), kDontneedLocked) != 0 && errno != EINVAL) {
      die("MADV_DONTNEED_LOCKED");
    }
    touch_write(random_run(memory, random, 256));
    touch_read(memory);
  }
}

void run_guard_regions(const Run& run) {
  const Memory memory = map_guarded(kGuardedBytes, Pages::base);
  touch_write(memory);
  if (madvise(memory.data(), kPageBytes, kMadvGuardInstall) != 0) {
    run.skip("no MADV_GUARD_INSTALL", errno);
  }
  advise(memory, kMadvGuardRemove);
  run.announce({getpid()});
  std::vector<bool> guarded(memory.size() / kPageBytes);
  const auto mark = [&](Memory run_of_pages, bool value) {
    const auto first = (run_of_pages.data() - memory.data()) / static_cast<ptrdiff_t>(kPageBytes);
    const auto count = static_cast<ptrdiff_t>(run_of_pages.size() / kPageBytes);
    std::fill_n(guarded.begin() + first, count, value);
  };
  Random random(1);
  while (!run.over()) {
    const Memory closed = random_run(memory, random, 64);
    advise(closed, kMadvGuardInstall);
    mark(closed, true);
    const Memory opened = random_run(memory, random, 64);
    advise(opened, kMadvGuardRemove);
    mark(opened, false);
    const Memory touched = random_run(memory, random, 128);
    for (std::size_t at = 0; at < touched.size(); at += kPageBytes) {
      const auto offset = static_cast<std::size_t>(&touched[at] - memory.data());
      if (!guarded[offset / kPageBytes]) touch_write(touched.subspan(at, kPageBytes));
    }
  }
}

void run_shmem_truncate(const Run& run) { truncate_and_refault(run, Pages::base); }

void run_shmem_thp_truncate(const Run& run) { truncate_and_refault(run, Pages::huge); }

void run_thp_always(const Run& run) {
  if (!says("/sys/kernel/mm/transparent_hugepage/enabled", "[always]")) {
    run.skip("transparent_hugepage/enabled is not always");
  }
  const Memory memory = map_plain(kThpBytes, 0);
  touch_write(memory);
  run.announce({getpid()});
  flip_runs(run, memory, 1024);
}

void run_mthp(const Run& run) {
  constexpr const char* kSwitch = "/sys/kernel/mm/transparent_hugepage/hugepages-64kB/enabled";
  if (access(kSwitch, R_OK) != 0) run.skip("no mTHP (transparent_hugepage/hugepages-64kB)");
  if (says(kSwitch, "[never]")) run.skip("transparent_hugepage/hugepages-64kB/enabled is never");
  const Memory memory = map_plain(kThpBytes, 0);
  advise(memory, MADV_HUGEPAGE);
  touch_write(memory);
  run.announce({getpid()});
  flip_runs(run, memory, 48);
}

}  // namespace smaps_audit::workloads
