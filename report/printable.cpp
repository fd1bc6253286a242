// SPDX-License-Identifier: Apache-2.0
#include "report/printable.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace smaps_audit {
namespace {

struct CodePoint {
  std::uint32_t value = 0;
  std::size_t length = 0;  ///< bytes; 0: not well-formed
};

struct CodePointRange {
  std::uint32_t first;
  std::uint32_t last;
};

constexpr std::uint8_t byte_at(std::string_view bytes, std::size_t index) {
  return static_cast<std::uint8_t>(bytes[index]);
}

CodePoint decode(std::string_view bytes) {
  const std::uint32_t first = byte_at(bytes, 0);
  if (first < 0x80) return {first, 1};
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || bytes.size() < length) return {};
  std::uint32_t value = first & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    const std::uint32_t next = byte_at(bytes, i);
    if ((next & 0xC0U) != 0x80U) return {};
    value = (value << 6U) | (next & 0x3FU);
  }
  constexpr std::array<std::uint32_t, 5> kSmallest{0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
  if (value < kSmallest[length] || value > 0x10FFFF || surrogate) return {};
  return {value, length};
}

template <std::size_t N>
bool in_any(std::uint32_t value, const std::array<CodePointRange, N>& ranges) {
  return std::any_of(ranges.begin(), ranges.end(), [value](const CodePointRange& range) {
    return range.first <= value && value <= range.last;
  });
}

// Controls, and what is invisible or changes the order of what stands beside it.
constexpr std::array<CodePointRange, 12> kUnprintable{{{0x00, 0x1F},
                                                       {0x7F, 0x9F},
                                                       {0xAD, 0xAD},
                                                       {0x61C, 0x61C},
                                                       {0x180E, 0x180E},
                                                       {0x200B, 0x200F},
                                                       {0x2028, 0x202E},
                                                       {0x2060, 0x206F},
                                                       {0xE000, 0xF8FF},
                                                       {0xFEFF, 0xFEFF},
                                                       {0xFFF0, 0xFFFB},
                                                       {0xE0000, 0x10FFFF}}};

constexpr std::array<CodePointRange, 10> kWide{{{0x1100, 0x115F},
                                                {0x2E80, 0x303E},
                                                {0x3041, 0xA4CF},
                                                {0xAC00, 0xD7A3},
                                                {0xF900, 0xFAFF},
                                                {0xFE30, 0xFE6F},
                                                {0xFF00, 0xFF60},
                                                {0xFFE0, 0xFFE6},
                                                {0x1F300, 0x1FAFF},
                                                {0x20000, 0x3FFFD}}};

constexpr std::array<CodePointRange, 5> kCombining{
    {{0x300, 0x36F}, {0x1AB0, 0x1AFF}, {0x20D0, 0x20FF}, {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F}}};

std::size_t columns_of(std::uint32_t value) {
  if (in_any(value, kCombining)) return 0;
  return in_any(value, kWide) ? 2 : 1;
}

void append_escaped(std::string& text, std::string_view bytes) {
  constexpr std::string_view kHex = "0123456789abcdef";
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const std::uint8_t byte = byte_at(bytes, i);
    text += "\\x";
    text += kHex[byte >> 4U];
    text += kHex[byte & 0xFU];
  }
}

std::string escape(std::string_view bytes, bool for_terminal) {
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    const CodePoint point = decode(bytes);
    const std::size_t length = std::max<std::size_t>(point.length, 1);
    const bool keep = point.length != 0 && !(for_terminal && in_any(point.value, kUnprintable));
    if (keep) {
      text += bytes.substr(0, length);
    } else {
      append_escaped(text, bytes.substr(0, length));
    }
    bytes.remove_prefix(length);
  }
  return text;
}

// Bytes of the longest head of `text` that is at most `columns` wide.
std::size_t head_bytes(std::string_view text, std::size_t columns) {
  std::size_t used = 0;
  std::size_t bytes = 0;
  while (bytes < text.size()) {
    const CodePoint point = decode(text.substr(bytes));
    const std::size_t width = point.length == 0 ? 1 : columns_of(point.value);
    if (used + width > columns) break;
    used += width;
    bytes += std::max<std::size_t>(point.length, 1);
  }
  return bytes;
}

// The same for the tail.
std::size_t tail_start(std::string_view text, std::size_t columns) {
  std::size_t start = 0;
  std::size_t left = display_columns(text);
  while (start < text.size() && left > columns) {
    const CodePoint point = decode(text.substr(start));
    left -= point.length == 0 ? 1 : columns_of(point.value);
    start += std::max<std::size_t>(point.length, 1);
  }
  return start;
}

}  // namespace

std::string utf8_or_escaped(std::string_view bytes) { return escape(bytes, false); }

std::string printable(std::string_view bytes) { return escape(bytes, true); }

std::size_t display_columns(std::string_view printable_text) {
  std::size_t columns = 0;
  while (!printable_text.empty()) {
    const CodePoint point = decode(printable_text);
    columns += point.length == 0 ? 1 : columns_of(point.value);
    printable_text.remove_prefix(std::max<std::size_t>(point.length, 1));
  }
  return columns;
}

std::string fit_columns(std::string_view printable_text, std::size_t columns) {
  if (display_columns(printable_text) <= columns) return std::string{printable_text};
  if (columns <= 3) return std::string(columns, '.');
  return std::string{printable_text.substr(0, head_bytes(printable_text, columns - 3))} + "...";
}

std::string fit_path(std::string_view printable_text, std::size_t columns) {
  if (display_columns(printable_text) <= columns) return std::string{printable_text};
  if (columns <= 8) return fit_columns(printable_text, columns);
  const std::size_t head = (columns - 3) / 3;
  const std::size_t tail = columns - 3 - head;
  return std::string{printable_text.substr(0, head_bytes(printable_text, head))} + "..." +
         std::string{printable_text.substr(tail_start(printable_text, tail))};
}

}  // namespace smaps_audit
