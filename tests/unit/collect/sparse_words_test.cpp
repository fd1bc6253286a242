// SPDX-License-Identifier: Apache-2.0
#include "collect/sparse_words.h"

#include <gtest/gtest.h>

#include <random>

namespace smaps_audit {
namespace {

using Bytes = std::vector<std::byte>;

Bytes from_words(const std::vector<std::uint64_t>& words) {
  Bytes data;
  ByteWriter writer{data};
  for (const std::uint64_t word : words) writer.fixed64(word);
  return data;
}

Bytes encoded(const Bytes& data) {
  Bytes out;
  ByteWriter writer{out};
  encode_words(data, writer);
  return out;
}

/// Runs of all kinds and lengths, wrapping words, noise.
std::vector<std::uint64_t> random_words(std::mt19937_64& random) {
  std::vector<std::uint64_t> words;
  const std::size_t runs = random() % 20;
  for (std::size_t run = 0; run < runs; ++run) {
    std::uint64_t word = random() % 4 == 0 ? ~std::uint64_t{0} - random() % 3 : random();
    const std::uint64_t step = random() % 3;  // 2: neither kind of run
    const std::size_t length = random() % 3 == 0 ? 1 : random() % 600;
    for (std::size_t index = 0; index < length; ++index, word += step) words.push_back(word);
  }
  return words;
}

TEST(SparseWords, BringBackWhatWasStored) {
  std::mt19937_64 random{20260722};
  for (int round = 0; round < 500; ++round) {
    const Bytes data = from_words(random_words(random));
    const Bytes packed = encoded(data);
    ByteReader reader{packed};
    EXPECT_EQ(decode_words(reader, data.size()), data);
    EXPECT_FALSE(reader.error());
    EXPECT_EQ(reader.left(), 0u);
    EXPECT_LE(packed.size(), data.size() + data.size() / 8 + 20);
  }
}

TEST(SparseWords, StoreAnEmptyRangeAndNeighbouringFramesInAFewBytes) {
  EXPECT_LE(encoded(from_words(std::vector<std::uint64_t>(512, 0))).size(), 10u);
  std::vector<std::uint64_t> words;
  for (std::uint64_t page = 0; page < 512; ++page) {
    words.push_back(std::uint64_t{0x81} << 56 | (1000 + page));
  }
  EXPECT_LE(encoded(from_words(words)).size(), 10u);
}

TEST(SparseWords, RejectRunsThatAreNotWhatTheReadReturned) {
  const Bytes packed = encoded(from_words({7, 7, 7, 7}));
  for (const std::size_t size : {8u, 24u, 40u}) {
    ByteReader reader{packed};
    decode_words(reader, size);
    EXPECT_TRUE(reader.error() || reader.left() != 0) << size;
  }
  for (const int head : {0x00, 0x07, 0xff}) {  // no words; an unknown kind; cut off
    const Bytes bad{static_cast<std::byte>(head)};
    ByteReader reader{bad};
    decode_words(reader, 8);
    EXPECT_TRUE(reader.error()) << head;
  }
}

TEST(SparseWords, NeverGrowBeyondTheSizeAsked) {
  std::mt19937_64 random{42};
  for (int round = 0; round < 2000; ++round) {
    Bytes noise(random() % 40);
    for (std::byte& byte : noise) byte = static_cast<std::byte>(random());
    ByteReader reader{noise};
    EXPECT_LE(decode_words(reader, 4096).size(), 4096u);
  }
}

}  // namespace
}  // namespace smaps_audit
