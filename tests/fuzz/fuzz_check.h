// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string_view>

#include "base/error.h"

/// What the fuzz targets share. A broken promise of a parser aborts, so that the fuzzer reports it.
namespace smaps_audit::fuzz {

inline void require(bool holds) {
  if (!holds) std::abort();
}

/// The input as a text in a block of just its size: a read past its end is a sanitizer report.
class Text {
 public:
  Text(const std::uint8_t* data, std::size_t size) : bytes_(new char[size]), size_(size) {
    for (std::size_t i = 0; i < size; ++i) bytes_[i] = static_cast<char>(data[i]);
  }
  [[nodiscard]] std::string_view view() const { return {bytes_.get(), size_}; }

  /// A view that a parser hands out must lie in the text (or be empty).
  [[nodiscard]] bool holds(std::string_view part) const {
    return part.empty() ||
           (part.data() >= bytes_.get() && part.data() + part.size() <= bytes_.get() + size_);
  }

 private:
  std::unique_ptr<char[]> bytes_;
  std::size_t size_;
};

/// Every error of a text parser is malformed or truncated, short, printable, and names a line.
inline void require_good_error(const Error& error, std::string_view text) {
  require(error.code == ErrorCode::malformed || error.code == ErrorCode::truncated);
  require(!error.what.empty() && error.what.size() < 512);
  for (const char byte : error.what) require(byte >= 0x20 && byte < 0x7f);
  require(error.line.has_value() && *error.line >= 1 && *error.line <= text.size() + 1);
}

}  // namespace smaps_audit::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
