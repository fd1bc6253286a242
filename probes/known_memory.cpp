// SPDX-License-Identifier: Apache-2.0
#include "probes/known_memory.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace smaps_audit::probes {
namespace {

// Faults that a huge page may take at most: its own, and NUMA hints that come while it is filled.
constexpr std::int64_t kMostFaultsOfHugePage = 8;
constexpr int kExitInternal = 70;

}  // namespace

void die(const char* what) {
  std::fprintf(stderr, "%s: %s\n", what, std::strerror(errno));
  ::_exit(kExitInternal);
}

Memory map_guarded(std::size_t bytes, Pages pages) {
  const std::size_t rounded = (bytes + kPmdBytes - 1) / kPmdBytes * kPmdBytes;
  const std::size_t reserved = rounded + 3 * kPmdBytes;
  void* const base =
      mmap(nullptr, reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) die("mmap of the guards");
  auto* const first = static_cast<std::byte*>(base) + kPmdBytes;
  const auto misaligned = reinterpret_cast<std::uintptr_t>(first) % kPmdBytes;
  std::byte* const start = misaligned == 0 ? first : first + (kPmdBytes - misaligned);
  if (mmap(start, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
      MAP_FAILED) {
    die("mmap");
  }
  const Memory memory{start, bytes};
  advise(memory, pages == Pages::huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
  return memory;
}

void protect(Memory memory, int protection) {
  if (mprotect(memory.data(), memory.size(), protection) != 0) die("mprotect");
}

void advise(Memory memory, int advice) {
  if (madvise(memory.data(), memory.size(), advice) != 0) die("madvise");
}

void turn_into_guard(Memory memory) {
  if (mmap(memory.data(), memory.size(), PROT_NONE,
           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED) {
    die("mmap over the sentinels");
  }
}

void touch_read(Memory memory) {
  for (std::size_t at = 0; at < memory.size(); at += kPageBytes) {
    static_cast<void>(*const_cast<volatile std::byte*>(&memory[at]));
  }
}

void touch_write(Memory memory) {
  for (std::size_t at = 0; at < memory.size(); at += kPageBytes) {
    *const_cast<volatile std::byte*>(&memory[at]) = std::byte{1};
  }
}

bool fill_with_huge_pages(Memory memory) {
  bool all_huge = true;
  for (std::size_t at = 0; at < memory.size(); at += kPmdBytes) {
    const std::int64_t before = minor_faults_of_thread();
    touch_write(memory.subspan(at, kPmdBytes));
    const std::int64_t faults = minor_faults_of_thread() - before;
    all_huge = all_huge && faults >= 1 && faults <= kMostFaultsOfHugePage;
  }
  return all_huge;
}

std::int64_t minor_faults_of_thread() {
  rusage usage{};
  if (getrusage(RUSAGE_THREAD, &usage) != 0) die("getrusage");
  return usage.ru_minflt;
}

}  // namespace smaps_audit::probes
