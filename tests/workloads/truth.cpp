// SPDX-License-Identifier: Apache-2.0
#include "tests/workloads/truth.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>

namespace smaps_audit::workloads {
namespace {

std::string hex(const std::byte* address) {
  std::array<char, 16> digits{};
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(),
                                          reinterpret_cast<std::uintptr_t>(address), 16);
  return error == std::errc{} ? std::string(digits.data(), end) : std::string{};
}

std::string number_or_null(const std::optional<std::uint64_t>& number) {
  return number ? std::to_string(*number) : "null";
}

std::string to_json(const Region& region) {
  return "{\"start\":\"" + hex(region.memory.data()) + "\",\"end\":\"" +
         hex(region.memory.data() + region.memory.size()) + "\",\"perms\":\"" + region.permissions +
         "\",\"touched_bytes\":" + std::to_string(region.touched_bytes) +
         ",\"pss_bytes\":" + std::to_string(region.pss_bytes.value_or(region.touched_bytes)) +
         ",\"expected_deficit_bytes\":" + number_or_null(region.expected_deficit_bytes) +
         ",\"vmas\":" + std::to_string(region.vmas) + ",\"huge_field\":\"" + region.huge_field +
         "\",\"device_copy_bytes\":" + std::to_string(region.device_copy_bytes) +
         ",\"poisoned_bytes\":" + std::to_string(region.poisoned_bytes) + "}";
}

}  // namespace

void declare(const Truth& truth) {
  std::string regions;
  std::uint64_t touched_bytes = 0;
  std::optional<std::uint64_t> deficit_bytes = 0;
  for (const Region& region : truth.regions) {
    if (!regions.empty()) regions += ',';
    regions += to_json(region);
    touched_bytes += region.touched_bytes;
    if (deficit_bytes && region.expected_deficit_bytes) {
      *deficit_bytes += *region.expected_deficit_bytes;
    } else {
      deficit_bytes.reset();
    }
  }
  const std::string proven = truth.kernel_state_proven ? "true" : "false";
  const std::string line = "{\"ready\":" + proven + ",\"pid\":" + std::to_string(getpid()) +
                           ",\"mode\":\"" + truth.mode + "\",\"regions\":[" + regions +
                           "],\"touched_bytes\":" + std::to_string(touched_bytes) +
                           ",\"expected_deficit_bytes\":" + number_or_null(deficit_bytes) +
                           ",\"kernel_state_proven\":" + proven + ",\"why\":\"" + truth.why +
                           "\"}\n";
  if (std::fputs(line.c_str(), stdout) < 0 || std::fflush(stdout) != 0) die("stdout");
}

void hold_until_told() {
  char byte = 0;
  while (read(STDIN_FILENO, &byte, 1) < 0 && errno == EINTR) {
  }
}

int declare_and_hold(const Truth& truth) {
  declare(truth);
  if (!truth.kernel_state_proven) return kExitCannotRun;
  hold_until_told();
  return 0;
}

}  // namespace smaps_audit::workloads
