// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "parsers/vm_flags.h"
#include "parsers/vma_header.h"

namespace smaps_audit {

/// Every `Key:   number kB` line of a record of smaps or of smaps_rollup (docs/kernel.md §1.3).
/// THPeligible and ProtectionKey are numbers without a unit and kept apart.
enum class SmapsField : std::uint8_t {
  size,              // Size
  kernel_page_size,  // KernelPageSize
  mmu_page_size,     // MMUPageSize
  rss,               // Rss
  pss,               // Pss
  pss_dirty,         // Pss_Dirty (6.0)
  pss_anon,          // Pss_Anon   rollup only
  pss_file,          // Pss_File   rollup only
  pss_shmem,         // Pss_Shmem  rollup only
  shared_clean,      // Shared_Clean
  shared_dirty,      // Shared_Dirty
  private_clean,     // Private_Clean
  private_dirty,     // Private_Dirty
  referenced,        // Referenced
  anonymous,         // Anonymous
  ksm,               // KSM (6.6)
  lazy_free,         // LazyFree
  anon_huge_pages,   // AnonHugePages
  shmem_pmd_mapped,  // ShmemPmdMapped
  file_pmd_mapped,   // FilePmdMapped
  shared_hugetlb,    // Shared_Hugetlb
  private_hugetlb,   // Private_Hugetlb
  swap,              // Swap
  swap_pss,          // SwapPss
  locked,            // Locked
  count_,
};
inline constexpr std::size_t kSmapsFieldCount = static_cast<std::size_t>(SmapsField::count_);

/// The key as the kernel writes it, without the colon.
std::string_view smaps_field_name(SmapsField field);

/// The values of one record, in bytes (the kernel prints kB = 1024). Absent is not zero.
class SmapsValues {
 public:
  [[nodiscard]] std::optional<std::uint64_t> bytes(SmapsField field) const {
    if (!has(field)) return std::nullopt;
    return bytes_[static_cast<std::size_t>(field)];
  }
  [[nodiscard]] bool has(SmapsField field) const {
    return (present_ >> static_cast<unsigned>(field) & 1u) != 0;
  }
  /// One bit per SmapsField.
  [[nodiscard]] std::uint32_t present() const { return present_; }
  void set(SmapsField field, std::uint64_t bytes) {
    bytes_[static_cast<std::size_t>(field)] = bytes;
    present_ |= 1u << static_cast<unsigned>(field);
  }

 private:
  std::array<std::uint64_t, kSmapsFieldCount> bytes_{};
  std::uint32_t present_ = 0;
};
static_assert(kSmapsFieldCount <= 32);

/// One VMA of smaps. `header.name` points into the parsed text.
struct SmapsRecord {
  VmaHeader header;
  SmapsValues values;
  VmFlags flags;
  bool has_vm_flags = false;
  std::optional<bool> thp_eligible;
  std::optional<std::uint64_t> protection_key;
  std::uint32_t unknown_fields = 0;  ///< lines `Key: …` with a key that is in no list above
};

/// The text of one read(2) of /proc/PID/smaps: whole records (docs/method.md §3).
struct SmapsText {
  std::vector<SmapsRecord> records;
  std::uint64_t unknown_fields = 0;
  std::uint64_t unknown_flags = 0;
};

/// Parses whole records. Accepts an empty text (no VMA). Errors, with the line in `text`:
/// `malformed` (a header or a known field that is not what the kernel writes, a field given twice,
/// a field before any header, a record without fields), `truncated` (no '\n' at the end, or a last
/// record without any field, or without VmFlags, every record's last line, where others have it).
Result<SmapsText> parse_smaps(std::string_view text);

/// /proc/PID/smaps_rollup: one header `start-end ---p 00000000 00:00 0   [rollup]` and its fields.
/// Same errors; an empty text is `truncated` (the caller knows whether the mm was gone).
Result<SmapsRecord> parse_smaps_rollup(std::string_view text);

}  // namespace smaps_audit
