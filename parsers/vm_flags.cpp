// SPDX-License-Identifier: Apache-2.0
#include "parsers/vm_flags.h"

#include <cstddef>

namespace smaps_audit {
namespace {

constexpr std::uint32_t kIgnored = 0;         // a mnemonic that no rule depends on
constexpr std::uint32_t kUnknown = 1u << 31;  // beyond every VmFlag

constexpr unsigned mnemonic(char first, char second) {
  return static_cast<unsigned>(static_cast<unsigned char>(first)) << 8 |
         static_cast<unsigned>(static_cast<unsigned char>(second));
}
constexpr unsigned mnemonic(const char (&text)[3]) { return mnemonic(text[0], text[1]); }
constexpr std::uint32_t bit(VmFlag flag) { return static_cast<std::uint32_t>(flag); }

/// The bit of a mnemonic of 5.10 … 7.3 (docs/kernel.md §1.3), kIgnored or kUnknown.
std::uint32_t bit_of(unsigned code) {
  switch (code) {
    case mnemonic("sh"): return bit(VmFlag::shared);
    case mnemonic("pf"): return bit(VmFlag::pfnmap);
    case mnemonic("mm"): return bit(VmFlag::mixedmap);
    case mnemonic("ht"): return bit(VmFlag::hugetlb);
    case mnemonic("io"): return bit(VmFlag::io);
    case mnemonic("hg"): return bit(VmFlag::huge_page);
    case mnemonic("nh"): return bit(VmFlag::no_huge_page);
    case mnemonic("mg"): return bit(VmFlag::mergeable);
    case mnemonic("lo"): return bit(VmFlag::locked);
    case mnemonic("ac"): return bit(VmFlag::account);
    case mnemonic("um"): return bit(VmFlag::uffd_missing);
    case mnemonic("uw"): return bit(VmFlag::uffd_wp);
    case mnemonic("ui"): return bit(VmFlag::uffd_minor);
    case mnemonic("gd"): return bit(VmFlag::grows_down);
    case mnemonic("nr"): return bit(VmFlag::no_reserve);
    case mnemonic("mw"): return bit(VmFlag::may_write);
    case mnemonic("rd"):
    case mnemonic("wr"):
    case mnemonic("ex"):
    case mnemonic("mr"):
    case mnemonic("me"):
    case mnemonic("ms"):
    case mnemonic("sr"):
    case mnemonic("rr"):
    case mnemonic("dc"):
    case mnemonic("de"):
    case mnemonic("lf"):
    case mnemonic("sf"):
    case mnemonic("nl"):
    case mnemonic("ar"):
    case mnemonic("wf"):
    case mnemonic("dd"):
    case mnemonic("sd"):
    case mnemonic("bt"):
    case mnemonic("mt"):
    case mnemonic("ss"):
    case mnemonic("dp"):
    case mnemonic("sl"):
    case mnemonic("gu"):
    case mnemonic("ur"): return kIgnored;
    default: return kUnknown;
  }
}

}  // namespace

VmFlags parse_vm_flags(std::string_view tokens) {
  VmFlags flags;
  std::size_t at = 0;
  while ((at = tokens.find_first_not_of(' ', at)) != std::string_view::npos) {
    const std::size_t stop = tokens.find(' ', at);
    const std::string_view token = tokens.substr(at, stop - at);
    const std::uint32_t found = token.size() == 2 ? bit_of(mnemonic(token[0], token[1])) : kUnknown;
    if (found == kUnknown) {
      ++flags.unknown;
    } else {
      flags.known |= found;
    }
    at += token.size();
  }
  return flags;
}

}  // namespace smaps_audit
