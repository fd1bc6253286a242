// SPDX-License-Identifier: Apache-2.0
#include <sys/mman.h>
#include <unistd.h>

#include <random>

#include "tests/workloads/adversary.h"
#include "tests/workloads/adversary_support.h"

namespace smaps_audit::workloads {
namespace {

constexpr std::size_t kMovedBytes = 4 * kMiB;
constexpr std::size_t kSlots = 4000;
constexpr std::size_t kSlotBytes = 4 * kPageBytes;
constexpr std::size_t kCollapsedBytes = 32 * kMiB;

/// Moves the pages, leaves the VMA where it was (empty).
void move_pages_to(Memory from, std::byte* to) {
  if (mremap(from.data(), from.size(), from.size(),
             MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, to) == MAP_FAILED) {
    die("mremap");
  }
}

int protection_of(std::size_t slot) { return slot % 2 == 0 ? PROT_READ | PROT_WRITE : PROT_WRITE; }

void map_slot(Memory memory, std::size_t slot) {
  void* const at = &memory[slot * kSlotBytes];
  if (mmap(at, kSlotBytes, protection_of(slot), MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
      MAP_FAILED) {
    die("mmap");
  }
  touch_write(memory.subspan(slot * kSlotBytes, kSlotBytes));
}

}  // namespace

void run_mremap(const Run& run) {
  const Memory home = map_guarded(kMovedBytes, Pages::base);
  const Memory away = map_guarded(kMovedBytes, Pages::base);
  touch_write(home);
  run.announce({getpid()});
  std::minstd_rand random(1);
  constexpr std::size_t kPages = kMovedBytes / kPageBytes;
  while (!run.over()) {
    // Mostly the whole VMA, which is one VMA again afterwards; sometimes a part of it.
    const std::size_t length = random() % 4 != 0 ? kPages : 1 + random() % 64;
    const std::size_t first = random() % (kPages - length + 1);
    const Memory moved = home.subspan(first * kPageBytes, length * kPageBytes);
    std::byte* const there = &away[first * kPageBytes];
    move_pages_to(moved, there);
    move_pages_to({there, moved.size()}, moved.data());
  }
}

void run_vma_churn(const Run& run) {
  const Memory memory = map_guarded(kSlots * kSlotBytes, Pages::base);
  // PROT_WRITE alone reads as well on x86; the VMAs still do not merge.
  for (std::size_t slot = 0; slot < kSlots; ++slot) map_slot(memory, slot);
  run.announce({getpid()});
  std::minstd_rand random(1);
  while (!run.over()) {
    const std::size_t slot = random() % kSlots;
    if (munmap(&memory[slot * kSlotBytes], kSlotBytes) != 0) die("munmap");
    map_slot(memory, slot);
  }
}

void run_collapse_split(const Run& run) {
  const Memory memory = map_guarded(kCollapsedBytes, Pages::huge);
  touch_write(memory);
  run.announce({getpid()});
  std::minstd_rand random(1);
  constexpr std::size_t kPages = kPmdBytes / kPageBytes;
  while (!run.over()) {
    const Memory block =
        memory.subspan(random() % (kCollapsedBytes / kPmdBytes) * kPmdBytes, kPmdBytes);
    for (int i = 0; i < 4; ++i) {
      const std::size_t length = 1 + random() % 64;
      const std::size_t first = random() % (kPages - length + 1);
      advise(block.subspan(first * kPageBytes, length * kPageBytes), MADV_DONTNEED);
    }
    // It may fail for want of memory, or on a kernel without it: then faults fill the holes.
    if (random() % 4 == 0 || madvise(block.data(), block.size(), kMadvCollapse) != 0) {
      touch_write(block);
    }
  }
}

}  // namespace smaps_audit::workloads
