// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <zstd.h>

#include <cerrno>
#include <random>

#include "collect/byte_codec.h"
#include "collect/capture_file.h"
#include "collect/capture_format.h"
#include "tests/support/temporary_directory.h"
#include "tests/unit/collect/capture_samples.h"

namespace smaps_audit {
namespace {

constexpr std::size_t kHeaderBytes = capture_format::kHeaderBytes;

/// Packs raw bytes as the writer does, so that tests can build what it never writes.
std::string packed(std::string_view raw, int checksum = 1, int window_log = 26) {
  const std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context{ZSTD_createCCtx(),
                                                                     &ZSTD_freeCCtx};
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, checksum);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_windowLog, window_log);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_contentSizeFlag, 0);
  std::string out(ZSTD_compressBound(raw.size()) + 64, '\0');
  ZSTD_outBuffer target{out.data(), out.size(), 0};
  ZSTD_inBuffer source{raw.data(), raw.size(), 0};
  ZSTD_compressStream2(context.get(), &target, &source, ZSTD_e_continue);
  ZSTD_compressStream2(context.get(), &target, &source, ZSTD_e_end);
  out.resize(target.pos);
  return out;
}

std::string header() {
  return {reinterpret_cast<const char*>(capture_format::kHeader.data()), kHeaderBytes};
}

std::string event_of(const std::vector<std::byte>& body) {
  std::vector<std::byte> out;
  ByteWriter{out}.bytes(body);
  return to_text(out);
}

std::string metadata_event() {
  return event_of(to_bytes("\xf0" + capture_metadata_to_json(sample_metadata())));
}

std::string end_event(std::uint64_t events) {
  std::vector<std::byte> body{std::byte{capture_format::kEndEvent}};
  ByteWriter{body}.varint(events);
  return event_of(body);
}

class CaptureReaderTest : public testing::Test {
 protected:
  [[nodiscard]] std::string path() const { return directory_.file("capture"); }
  void write(const std::string& content) const { write_whole_file(path(), content); }
  /// The error that opening the content gives, which must name the file and a place in it.
  Error open_error(const std::string& content) const {
    write(content);
    const Result<CaptureReader> reader = CaptureReader::open(path());
    if (reader) return Error{.code = ErrorCode::usage, .what = "no error"};
    EXPECT_EQ(reader.error().file, path());
    EXPECT_TRUE(reader.error().offset) << reader.error().message();
    EXPECT_LE(reader.error().offset.value_or(0), content.size());
    return reader.error();
  }
  std::string sample() const {
    const Result<Ok> written = write_capture(path(), sample_events());
    EXPECT_TRUE(written) << written.error().message();
    return read_whole_file(path());
  }

  TemporaryDirectory directory_;
};

TEST_F(CaptureReaderTest, ServesWhatWasWritten) {
  sample();
  Result<CaptureReader> reader = CaptureReader::open(path());
  ASSERT_TRUE(reader) << reader.error().message();
  EXPECT_EQ(reader->metadata().comm, sample_metadata().comm);
  EXPECT_EQ(reader->calls(), sample_events().size());
  std::uint64_t number = 0;
  for (const CaptureEvent& expected : sample_events()) {
    const Result<std::optional<CaptureEvent>> event = reader->next();
    ASSERT_TRUE(event && *event);
    EXPECT_TRUE(same_event(**event, expected)) << in_words(expected.call);
    EXPECT_EQ(reader->place().event, ++number);
    EXPECT_EQ(reader->place().compressed_offset, kHeaderBytes);
  }
  for (int again = 0; again < 2; ++again) {
    const Result<std::optional<CaptureEvent>> after = reader->next();
    ASSERT_TRUE(after);
    EXPECT_FALSE(*after);
  }
}

TEST_F(CaptureReaderTest, CallsACaptureTruncatedAtEveryLength) {
  const std::string whole = sample();
  for (std::size_t size = 0; size < whole.size(); size += size < 64 ? 1 : 5) {
    const Error error = open_error(whole.substr(0, size));
    EXPECT_EQ(error.code, ErrorCode::truncated) << size << " " << error.message();
    EXPECT_EQ(error.offset, size) << error.message();
  }
}

TEST_F(CaptureReaderTest, RejectsAFlippedByteAnywhere) {
  const std::string whole = sample();
  for (std::size_t at = 0; at < whole.size(); at += at < 64 ? 1 : 5) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(~damaged[at]);
    const Error error = open_error(damaged);
    EXPECT_TRUE(error.code == ErrorCode::malformed || error.code == ErrorCode::truncated)
        << at << " " << error.message();
  }
}

TEST_F(CaptureReaderTest, NeverServesAnythingElseForAFlippedBit) {
  const std::string whole = sample();
  const std::vector<CaptureEvent> expected = sample_events();
  for (std::size_t bit = 0; bit < 8 * whole.size(); bit += bit < 8 * 32 ? 1 : 37) {
    std::string damaged = whole;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    write(damaged);
    const Result<std::vector<CaptureEvent>> events = read_capture(path());
    // A few bits of zstd's block headers mean nothing to the decoder.
    if (events) {
      EXPECT_TRUE(
          std::equal(events->begin(), events->end(), expected.begin(), expected.end(), same_event))
          << bit;
    }
  }
}

TEST_F(CaptureReaderTest, SurvivesArbitraryBytes) {
  std::mt19937_64 random{11};
  for (int round = 0; round < 60; ++round) {
    std::string noise;
    for (std::uint64_t size = random() % 400; size > 0; --size) {
      noise += static_cast<char>(random());
    }
    // Behind a good header, a good frame start, and inside a good frame.
    open_error(noise);
    open_error(header() + noise);
    open_error(header() + packed(noise));
    open_error(header() + packed(metadata_event() + noise));
  }
}

TEST_F(CaptureReaderTest, SaysThatAFileIsNoCapture) {
  const Error error = open_error("Size:                  4 kB\n");
  EXPECT_EQ(error.code, ErrorCode::malformed);
  EXPECT_EQ(error.what, "not a capture of smaps-audit");
  EXPECT_EQ(error.offset, 0u);
}

TEST_F(CaptureReaderTest, RejectsANewerVersionAndAReservedWord) {
  std::string content = sample();
  content[8] = 2;
  EXPECT_EQ(open_error(content).what, "capture format 2, but this program knows format 1 only");
  content[8] = 1;
  content[12] = 1;
  EXPECT_EQ(open_error(content).offset, 12u);
}

TEST_F(CaptureReaderTest, RejectsFramesThatAreNotAsTheWriterMakesThem) {
  const std::string events = metadata_event() + end_event(1);
  EXPECT_EQ(open_error(header() + packed(events)).what, "no error");
  EXPECT_EQ(open_error(header() + packed(events, 0)).what, "no frame of a capture starts here");
  EXPECT_EQ(open_error(header() + packed(events, 1, 27)).what, "no frame of a capture starts here");
  const std::string skippable{"\x50\x2a\x4d\x18\x04\x00\x00\x00skip", 12};
  EXPECT_EQ(open_error(header() + skippable + packed(events)).offset, kHeaderBytes);
}

TEST_F(CaptureReaderTest, RejectsAFrameThatUnpacksToMoreThanItMay) {
  const std::string bomb((std::size_t{64} << 20) + 1, '\0');
  const Error error = open_error(header() + packed(metadata_event() + event_of({}) + bomb));
  EXPECT_EQ(error.code, ErrorCode::malformed);
  // One event of the allowed length each, so that only the frame is too long.
  std::vector<std::byte> body(std::size_t{31} << 20, std::byte{0});
  std::string long_frame = metadata_event();
  CaptureEvent event{.call = {.operation = KernelOperation::read, .size = body.size()},
                     .answer = {.data = body}};
  std::vector<std::byte> encoded;
  encode_event(event, DataEncoding::raw, encoded);
  for (int copy = 0; copy < 3; ++copy) long_frame += event_of(encoded);
  EXPECT_EQ(open_error(header() + packed(long_frame)).what,
            "a frame holds more than a capture's frames do");
}

TEST_F(CaptureReaderTest, RejectsAnEventThatIsTooLongOrEmpty) {
  std::vector<std::byte> length;
  ByteWriter{length}.varint(kMaxEventBytes + 1);
  const Error error = open_error(header() + packed(metadata_event() + to_text(length)));
  EXPECT_EQ(error.code, ErrorCode::malformed);
  EXPECT_NE(error.what.find("out of bounds"), std::string::npos) << error.what;
  EXPECT_NE(error.what.find("event 1 "), std::string::npos) << error.what;
  EXPECT_EQ(open_error(header() + packed(metadata_event() + event_of({}))).code,
            ErrorCode::malformed);
}

TEST_F(CaptureReaderTest, RejectsAnEventThatCrossesItsFrame) {
  const std::string events = metadata_event() + end_event(1);
  const std::string content = header() + packed(events.substr(0, 100)) + packed(events.substr(100));
  EXPECT_NE(open_error(content).what.find("crosses the end of its frame"), std::string::npos);
}

TEST_F(CaptureReaderTest, RejectsABadEndMark) {
  const auto what = [&](const std::string& events) {
    return open_error(header() + packed(events)).what;
  };
  EXPECT_NE(what(metadata_event() + end_event(2)).find("counts 2 events"), std::string::npos);
  EXPECT_NE(what(metadata_event() + event_of({std::byte{0xff}})).find("end mark is damaged"),
            std::string::npos);
  EXPECT_EQ(what(metadata_event()), "the capture ends without its end mark");
  EXPECT_NE(what(metadata_event() + end_event(1) + end_event(1)).find("after the end mark"),
            std::string::npos);
  EXPECT_EQ(open_error(header() + packed(metadata_event() + end_event(1)) + "x").code,
            ErrorCode::malformed);
}

TEST_F(CaptureReaderTest, RejectsMetadataThatIsAbsentOrWrong) {
  EXPECT_EQ(open_error(header()).what, "the capture ends before its first event");
  EXPECT_NE(open_error(header() + packed(end_event(0))).what.find("must be the metadata"),
            std::string::npos);
  const std::string wrong = event_of(to_bytes("\xf0{}"));
  EXPECT_NE(open_error(header() + packed(wrong + end_event(1))).what.find("\"tool_version\""),
            std::string::npos);
}

TEST_F(CaptureReaderTest, SaysWhatCannotBeOpened) {
  const Result<CaptureReader> absent = CaptureReader::open(path());
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().errno_value, ENOENT);
  EXPECT_EQ(absent.error().file, path());
  ASSERT_EQ(::mkfifo(path().c_str(), 0600), 0);
  UniqueFd keep_open{::open(path().c_str(), O_RDWR | O_CLOEXEC)};
  const Result<CaptureReader> pipe = CaptureReader::open(path());
  ASSERT_FALSE(pipe);
  EXPECT_EQ(pipe.error().what, "a capture must be a file that can be read twice");
  EXPECT_FALSE(CaptureReader::open(directory_.path()));
}

}  // namespace
}  // namespace smaps_audit
