// SPDX-License-Identifier: Apache-2.0
#include "config/user_lookup.h"

#include <pwd.h>

#include <limits>
#include <vector>

#include "base/parse_int.h"

namespace smaps_audit {

std::optional<std::uint32_t> find_user(const std::string& word) {
  const std::optional<std::uint64_t> number = parse_unsigned(word);
  if (number && *number <= std::numeric_limits<std::uint32_t>::max()) {
    return static_cast<std::uint32_t>(*number);
  }
  constexpr std::size_t kEnough = std::size_t{1} << 16;
  std::vector<char> buffer(kEnough);
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwnam_r(word.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0) {
    return std::nullopt;
  }
  if (found == nullptr) return std::nullopt;
  return static_cast<std::uint32_t>(found->pw_uid);
}

}  // namespace smaps_audit
