// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace smaps_audit {

/// The first line of a VMA in maps and smaps (fs/proc/task_mmu.c: show_vma_header_prefix,
/// show_map_vma):
///
///   7f1c2a000000-7f1c2e000000 rw-p 00000000 00:00 0       [anon:heap of x]
///
/// `name` is the rest of the line, byte for byte (the kernel escapes only '\n'); it may hold
/// spaces, any bytes but '\n', and lie (" (deleted)" can be part of a real name). Views point into
/// the text.
struct VmaHeader {
  std::uint64_t start = 0;  ///< bytes, page-aligned
  std::uint64_t end = 0;    ///< bytes, exclusive, > start
  bool readable = false;
  bool writable = false;
  bool executable = false;
  bool shared = false;  ///< 's' (VM_MAYSHARE); 'p' is private
  std::uint64_t file_offset = 0;
  std::uint32_t device_major = 0;
  std::uint32_t device_minor = 0;
  std::uint64_t inode = 0;
  std::string_view name = {};

  [[nodiscard]] std::uint64_t size_bytes() const { return end - start; }
  /// Backed by a file, shmem and memfd included (they have an inode on a device).
  [[nodiscard]] bool has_file() const {
    return inode != 0 || device_major != 0 || device_minor != 0;
  }
  [[nodiscard]] bool accessible() const { return readable || writable || executable; }
};

/// True if the line has the shape `hex-hex ` of a VMA header (the way to tell it from `Key:
/// value`).
bool looks_like_vma_header(std::string_view line);

/// One header line without its '\n'. Errors: `malformed` (the caller adds file and line).
/// Strict: lower-case or upper-case hex without "0x", pages of at least 4096 bytes, device numbers
/// of 12 and 20 bits. The blank that the kernel writes behind an inode without a name may be
/// missing.
Result<VmaHeader> parse_vma_header(std::string_view line);

/// The first line of smaps_rollup: as above, but named "[rollup]", without permissions, offset or
/// file. 0-0 is allowed: that is what the kernel writes for an mm without any VMA.
Result<VmaHeader> parse_rollup_header(std::string_view line);

/// The text of /proc/PID/maps, or a part of it that ends at a line's end; empty is fine. Errors
/// with the line: `malformed`, `truncated` (no '\n' at the end).
Result<std::vector<VmaHeader>> parse_maps(std::string_view text);

}  // namespace smaps_audit
