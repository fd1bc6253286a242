// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

/// Memory whose truth is known because it was made and touched here: mappings between guards,
/// touching, and the exact witness of both, the thread's minor faults.
namespace smaps_audit::probes {

inline constexpr std::size_t kPageBytes = 4096;
inline constexpr std::size_t kPmdBytes = 2097152;
inline constexpr std::size_t kMiB = 1048576;

using Memory = std::span<std::byte>;

enum class Pages : std::uint8_t {
  base,  ///< MADV_NOHUGEPAGE: 4 KiB pages
  huge,  ///< MADV_HUGEPAGE
};

/// Prints "<what>: <errno in words>" on stderr and ends the process at once, with status 70.
[[noreturn]] void die(const char* what);

/// Maps private anonymous memory read-write at a 2 MiB border, with a PROT_NONE VMA of 2 MiB on
/// both sides: nothing that libc or a thread maps later can merge with it. Nothing is touched.
Memory map_guarded(std::size_t bytes, Pages pages);

/// mprotect, madvise that die on error.
void protect(Memory memory, int protection);
void advise(Memory memory, int advice);

/// Makes an address range part of the guard beside it (its pages are gone).
void turn_into_guard(Memory memory);

/// Reads, or writes, one byte of each page.
void touch_read(Memory memory);
void touch_write(Memory memory);

/// Writes every page and proves by the fault count that each 2 MiB is one huge page: one fault
/// brings it, where 4 KiB pages take 512. False if any is not.
[[nodiscard]] bool fill_with_huge_pages(Memory memory);

/// Minor faults of the calling thread so far.
std::int64_t minor_faults_of_thread();

}  // namespace smaps_audit::probes
