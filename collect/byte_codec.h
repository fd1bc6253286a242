// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace smaps_audit {

/// Private to the capture format: appends varints (LEB128), fixed little-endian words and bytes.
class ByteWriter {
 public:
  explicit ByteWriter(std::vector<std::byte>& out) : out_(out) {}

  void byte(std::uint8_t value) { out_.push_back(std::byte{value}); }
  void varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) byte(static_cast<std::uint8_t>(value | 0x80));
    byte(static_cast<std::uint8_t>(value));
  }
  /// Zigzag, so that small negative numbers stay short.
  void signed_varint(std::int64_t value) {
    const auto bits = static_cast<std::uint64_t>(value);
    varint(bits << 1 ^ (value < 0 ? ~std::uint64_t{0} : 0));
  }
  void fixed64(std::uint64_t value) {
    for (int shift = 0; shift < 64; shift += 8) byte(static_cast<std::uint8_t>(value >> shift));
  }
  void bytes(std::span<const std::byte> data) {
    varint(data.size());
    out_.insert(out_.end(), data.begin(), data.end());
  }
  void text(std::string_view text) { bytes(std::as_bytes(std::span{text})); }

 private:
  std::vector<std::byte>& out_;
};

/// The other direction. The first thing that does not fit sticks as `error()`; everything read
/// after it is 0 and empty, so a decoder may check once at its end. Sizes are checked against what
/// is left before anything is allocated.
class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  [[nodiscard]] const std::optional<Error>& error() const { return error_; }
  [[nodiscard]] std::size_t position() const { return position_; }
  [[nodiscard]] std::size_t left() const { return error_ ? 0 : bytes_.size() - position_; }

  void fail(ErrorCode code, std::string what) {
    if (!error_) error_ = Error{.code = code, .what = std::move(what), .offset = position_};
  }

  std::uint8_t byte() {
    if (left() == 0) {
      fail(ErrorCode::truncated, "an event ends in the middle");
      return 0;
    }
    return std::to_integer<std::uint8_t>(bytes_[position_++]);
  }
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const std::uint8_t part = byte();
      if (shift == 63 && part > 1) break;
      value |= static_cast<std::uint64_t>(part & 0x7f) << shift;
      if ((part & 0x80) == 0) return error_ ? 0 : value;
    }
    fail(ErrorCode::malformed, "a number has more than 64 bits");
    return 0;
  }
  std::int64_t signed_varint() {
    const std::uint64_t bits = varint();
    return static_cast<std::int64_t>(bits >> 1 ^ ((bits & 1) != 0 ? ~std::uint64_t{0} : 0));
  }
  std::uint64_t fixed64() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 8) value |= std::uint64_t{byte()} << shift;
    return error_ ? 0 : value;
  }
  /// A count of things of which each takes at least `bytes_each` bytes.
  std::size_t count(std::size_t bytes_each = 1) {
    const std::uint64_t count = varint();
    if (count > left() / bytes_each) {
      fail(ErrorCode::truncated, "an event announces more than it holds");
      return 0;
    }
    return static_cast<std::size_t>(count);
  }
  std::span<const std::byte> bytes() {
    const std::size_t size = count();
    const auto data = bytes_.subspan(position_, size);
    position_ += size;
    return data;
  }
  std::string text() {
    const auto data = bytes();
    std::string text(data.size(), '\0');
    std::transform(data.begin(), data.end(), text.begin(),
                   [](std::byte value) { return static_cast<char>(value); });
    return text;
  }
  bool boolean() {
    const std::uint8_t value = byte();
    if (value > 1) fail(ErrorCode::malformed, "a yes-or-no is neither 0 nor 1");
    return value == 1;
  }

 private:
  std::span<const std::byte> bytes_;
  std::size_t position_ = 0;
  std::optional<Error> error_;
};

}  // namespace smaps_audit
