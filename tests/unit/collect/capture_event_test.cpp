// SPDX-License-Identifier: Apache-2.0
#include "collect/capture_event.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "collect/byte_codec.h"
#include "tests/unit/collect/capture_samples.h"

namespace smaps_audit {
namespace {

using Bytes = std::vector<std::byte>;

Bytes encoded(const CaptureEvent& event, DataEncoding data = DataEncoding::raw) {
  Bytes out;
  encode_event(event, data, out);
  return out;
}

TEST(ByteCodec, BringsBackNumbersOfEverySize) {
  std::mt19937_64 random{1};
  for (int round = 0; round < 1000; ++round) {
    const std::uint64_t value = random() >> random() % 64;
    const auto negative = static_cast<std::int64_t>(random());
    Bytes out;
    ByteWriter writer{out};
    writer.varint(value);
    writer.signed_varint(negative);
    writer.signed_varint(std::numeric_limits<std::int64_t>::min());
    ByteReader reader{out};
    EXPECT_EQ(reader.varint(), value);
    EXPECT_EQ(reader.signed_varint(), negative);
    EXPECT_EQ(reader.signed_varint(), std::numeric_limits<std::int64_t>::min());
    EXPECT_FALSE(reader.error());
  }
}

TEST(ByteCodec, RejectsANumberOfMoreThan64Bits) {
  Bytes bytes(9, std::byte{0xff});
  bytes.push_back(std::byte{0x02});
  ByteReader reader{bytes};
  reader.varint();
  ASSERT_TRUE(reader.error());
  EXPECT_EQ(reader.error()->code, ErrorCode::malformed);
}

TEST(CaptureEvent, BringsBackEveryOperation) {
  for (const CaptureEvent& event : sample_events()) {
    for (const DataEncoding data : {DataEncoding::raw, DataEncoding::words}) {
      const Result<CaptureEvent> decoded = decode_event(encoded(event, data));
      ASSERT_TRUE(decoded) << in_words(event.call) << ": " << decoded.error().message();
      EXPECT_TRUE(same_event(*decoded, event)) << in_words(event.call);
    }
  }
}

TEST(CaptureEvent, IsTruncatedAtEveryLengthButItsOwn) {
  for (const CaptureEvent& event : sample_events()) {
    const Bytes whole = encoded(event);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      EXPECT_FALSE(decode_event(std::span{whole}.first(size))) << in_words(event.call) << size;
    }
    Bytes longer = whole;
    longer.push_back(std::byte{0});
    EXPECT_FALSE(decode_event(longer)) << in_words(event.call);
  }
}

TEST(CaptureEvent, SurvivesArbitraryBytes) {
  std::mt19937_64 random{7};
  const std::vector<CaptureEvent> samples = sample_events();
  for (int round = 0; round < 20000; ++round) {
    Bytes bytes = encoded(samples[random() % samples.size()],
                          random() % 2 == 0 ? DataEncoding::raw : DataEncoding::words);
    for (std::uint64_t change = random() % 4; change > 0; --change) {
      bytes[random() % bytes.size()] = static_cast<std::byte>(random());
    }
    const Result<CaptureEvent> decoded = decode_event(bytes);
    if (decoded) {
      EXPECT_LE(decoded->answer.data.size(), decoded->call.size);
    }
  }
}

TEST(CaptureEvent, RejectsMoreDataThanWereAskedFor) {
  CaptureEvent event{.call = {.operation = KernelOperation::read, .handle = 1, .size = 4},
                     .answer = {.data = to_bytes("12345678")}};
  for (const DataEncoding data : {DataEncoding::raw, DataEncoding::words}) {
    const Result<CaptureEvent> decoded = decode_event(encoded(event, data));
    ASSERT_FALSE(decoded);
    EXPECT_EQ(decoded.error().code, ErrorCode::malformed);
  }
  event = {.call = {.operation = KernelOperation::pagemap_scan, .size = 1},
           .answer = {.regions = {{0, 1, 1}, {2, 3, 1}}}};
  EXPECT_FALSE(decode_event(encoded(event)));
}

TEST(CaptureEvent, RejectsUnknownOperationsErrorsAndAnswersThatAreNeitherYesNorNo) {
  EXPECT_FALSE(decode_event(Bytes{std::byte{0}}));
  EXPECT_FALSE(decode_event(Bytes{std::byte{kLastKernelOperation + 1}}));
  // monotonic_now, started 0, took 0, then "is it an error?" and the kind of the error
  const auto op = static_cast<std::byte>(KernelOperation::monotonic_now);
  EXPECT_FALSE(decode_event(Bytes{op, {}, {}, std::byte{2}, {}}));
  EXPECT_FALSE(decode_event(Bytes{op, {}, {}, std::byte{1}, std::byte{200}, {}, {}, {}, {}, {}}));
}

TEST(CaptureEvent, SaysEveryCallInWords) {
  for (const CaptureEvent& event : sample_events()) {
    EXPECT_TRUE(in_words(event.call).starts_with(to_string(event.call.operation)));
  }
  EXPECT_EQ(in_words({.operation = KernelOperation::pread, .handle = 3, .offset = 8, .size = 16}),
            "pread of handle 3 (16 bytes at offset 8)");
}

}  // namespace
}  // namespace smaps_audit
