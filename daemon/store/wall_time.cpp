// SPDX-License-Identifier: Apache-2.0
#include "daemon/store/wall_time.h"

#include <array>
#include <ctime>

namespace smaps_audit::store {
namespace {

// For a time that no calendar holds: a database may say anything.
constexpr const char* kNoTime = "unknown-time";

std::tm calendar(WallTime when, bool& known) {
  const std::time_t seconds = std::chrono::floor<std::chrono::seconds>(when).count();
  std::tm parts{};
  known = gmtime_r(&seconds, &parts) != nullptr;
  return parts;
}

}  // namespace

std::string compact_time(WallTime when) {
  bool known = false;
  const std::tm parts = calendar(when, known);
  std::array<char, 32> text{};
  if (!known || std::strftime(text.data(), text.size(), "%Y%m%dT%H%M%SZ", &parts) == 0) {
    return kNoTime;
  }
  return text.data();
}

std::string time_text(WallTime when) {
  bool known = false;
  const std::tm parts = calendar(when, known);
  std::array<char, 32> text{};
  if (!known || std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S UTC", &parts) == 0) {
    return kNoTime;
  }
  return text.data();
}

std::string short_time(WallTime when) {
  bool known = false;
  const std::tm parts = calendar(when, known);
  std::array<char, 32> text{};
  if (!known || std::strftime(text.data(), text.size(), "%m-%d %H:%M", &parts) == 0) return kNoTime;
  return text.data();
}

}  // namespace smaps_audit::store
