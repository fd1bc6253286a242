// SPDX-License-Identifier: Apache-2.0
#include "collect/sparse_words.h"

#include <cstdint>

namespace smaps_audit {
namespace {

constexpr std::size_t kWordBytes = 8;

enum class RunKind : std::uint8_t { equal = 0, ascending = 1, literal = 2 };

std::uint64_t word_at(std::span<const std::byte> data, std::size_t index) {
  std::uint64_t word = 0;
  for (std::size_t byte = 0; byte < kWordBytes; ++byte) {
    word |= std::to_integer<std::uint64_t>(data[index * kWordBytes + byte]) << (8 * byte);
  }
  return word;
}

/// Words from `first` on that continue it with the given step.
std::size_t run_length(std::span<const std::byte> data, std::size_t first, std::uint64_t step) {
  const std::size_t words = data.size() / kWordBytes;
  std::uint64_t expected = word_at(data, first);
  std::size_t length = 1;
  while (first + length < words && word_at(data, first + length) == (expected += step)) ++length;
  return length;
}

void put_head(ByteWriter& out, RunKind kind, std::size_t words) {
  out.varint(static_cast<std::uint64_t>(words) << 2 | static_cast<std::uint8_t>(kind));
}

void put_literals(std::span<const std::byte> data, std::size_t first, std::size_t end,
                  ByteWriter& out) {
  if (first == end) return;
  put_head(out, RunKind::literal, end - first);
  for (std::size_t index = first; index < end; ++index) out.fixed64(word_at(data, index));
}

}  // namespace

void encode_words(std::span<const std::byte> data, ByteWriter& out) {
  const std::size_t words = data.size() / kWordBytes;
  std::size_t literals_from = 0;
  std::size_t at = 0;
  while (at < words) {
    const std::size_t equal = run_length(data, at, 0);
    const std::size_t ascending = run_length(data, at, 1);
    const std::size_t length = std::max(equal, ascending);
    if (length < 2) {
      ++at;
      continue;
    }
    put_literals(data, literals_from, at, out);
    put_head(out, equal >= ascending ? RunKind::equal : RunKind::ascending, length);
    out.fixed64(word_at(data, at));
    at += length;
    literals_from = at;
  }
  put_literals(data, literals_from, words, out);
}

std::vector<std::byte> decode_words(ByteReader& in, std::size_t size) {
  std::vector<std::byte> data;
  data.reserve(size);
  ByteWriter out{data};
  while (data.size() < size && !in.error()) {
    const std::uint64_t head = in.varint();
    const std::uint64_t words = head >> 2;
    const std::uint8_t kind = head & 3;
    if (words == 0 || words > (size - data.size()) / kWordBytes || kind > 2) {
      in.fail(ErrorCode::malformed, "a run of pagemap words is not what its read returned");
      break;
    }
    const bool literal = kind == static_cast<std::uint8_t>(RunKind::literal);
    std::uint64_t word = 0;
    for (std::uint64_t index = 0; index < words && !in.error(); ++index) {
      if (index == 0 || literal) {
        word = in.fixed64();
      } else {
        word += kind;
      }
      out.fixed64(word);
    }
  }
  return data;
}

}  // namespace smaps_audit
