// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

namespace smaps_audit {

/// The VmFlags that a rule of the audit depends on (fs/proc/task_mmu.c: show_smap_vma_flags).
enum class VmFlag : std::uint32_t {
  shared = 1u << 0,         ///< sh
  pfnmap = 1u << 1,         ///< pf
  mixedmap = 1u << 2,       ///< mm
  hugetlb = 1u << 3,        ///< ht
  io = 1u << 4,             ///< io
  huge_page = 1u << 5,      ///< hg
  no_huge_page = 1u << 6,   ///< nh
  mergeable = 1u << 7,      ///< mg
  locked = 1u << 8,         ///< lo
  account = 1u << 9,        ///< ac
  uffd_missing = 1u << 10,  ///< um
  uffd_wp = 1u << 11,       ///< uw
  uffd_minor = 1u << 12,    ///< ui
  grows_down = 1u << 13,    ///< gd
  no_reserve = 1u << 14,    ///< nr
  may_write = 1u << 15,     ///< mw
};

/// The flags of one VMA. Unknown mnemonics (also "??") are counted, never an error: the list grows
/// with every kernel.
struct VmFlags {
  std::uint32_t known = 0;    ///< bits of VmFlag
  std::uint32_t unknown = 0;  ///< how many mnemonics are in neither list below

  [[nodiscard]] bool has(VmFlag flag) const {
    return (known & static_cast<std::uint32_t>(flag)) != 0;
  }
};

/// The part of the line after "VmFlags:". Every token has two bytes; a mnemonic that we know but do
/// not use (rd, wr, mr, me …) is neither kept nor counted as unknown.
VmFlags parse_vm_flags(std::string_view tokens);

}  // namespace smaps_audit
