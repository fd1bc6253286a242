// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace smaps_audit::service {

/// Lines from a pipe, without their '\n'; empty ones are passed over.
class LineReader {
 public:
  explicit LineReader(int descriptor) : descriptor_(descriptor) {}

  /// The next line, read with as many blocking reads as it takes. nullopt: the end, an error, or a
  /// line longer than kLongestLine.
  std::optional<std::string> next();

  enum class State : std::uint8_t { open, ended, too_long };
  /// Takes what is there with one read; then take() until it has no more.
  State fill();
  std::optional<std::string> take();

 private:
  int descriptor_;
  std::string buffer_;
  std::size_t searched_ = 0;
};

}  // namespace smaps_audit::service
