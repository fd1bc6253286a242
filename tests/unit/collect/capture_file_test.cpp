// SPDX-License-Identifier: Apache-2.0
#include "collect/capture_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <zstd.h>

#include <cerrno>
#include <random>

#include "collect/byte_codec.h"
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

class CaptureFileTest : public testing::Test {
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

using CaptureReaderTest = CaptureFileTest;
using CaptureWriterTest = CaptureFileTest;

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

TEST_F(CaptureWriterTest, PutsTheFileInItsPlaceOnlyWhenFinished) {
  Result<CaptureWriter> writer = CaptureWriter::create(path(), sample_metadata());
  ASSERT_TRUE(writer);
  EXPECT_EQ(directory_.names().size(), 1u);
  EXPECT_NE(directory_.names().front(), "capture");
  ASSERT_TRUE(writer->finish());
  EXPECT_EQ(directory_.names(), std::vector<std::string>{"capture"});
  EXPECT_TRUE(writer->finish());
  struct stat status {};
  ASSERT_EQ(::stat(path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(CaptureWriterTest, LeavesNothingBehindWhenAbandoned) {
  write("an older capture");
  {
    Result<CaptureWriter> writer = CaptureWriter::create(path(), sample_metadata());
    ASSERT_TRUE(writer);
    writer->append(sample_events().front(), DataEncoding::raw);
  }
  EXPECT_EQ(directory_.names(), std::vector<std::string>{"capture"});
  EXPECT_EQ(read_whole_file(path()), "an older capture");
}

TEST_F(CaptureWriterTest, SaysThatTheDiskIsFull) {
  const Result<CaptureWriter> device = CaptureWriter::create("/dev/full", sample_metadata());
  ASSERT_FALSE(device);
  EXPECT_EQ(device.error().errno_value, ENOSPC);
  EXPECT_EQ(device.error().file, "/dev/full");
  EXPECT_EQ(device.error().code, ErrorCode::io);
}

/// Files of this process end at so many bytes while it lives.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    old_handler_ = ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &old_);
    const rlimit limit{.rlim_cur = bytes, .rlim_max = old_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &old_);
    ::signal(SIGXFSZ, old_handler_);
  }

 private:
  rlimit old_{};
  sighandler_t old_handler_ = SIG_DFL;
};

CaptureEvent noise_event(std::mt19937_64& random) {
  CaptureEvent event{.call = {.operation = KernelOperation::read, .handle = 1, .size = 65536}};
  for (int byte = 0; byte < 65536; ++byte) {
    event.answer.data.push_back(static_cast<std::byte>(random()));
  }
  return event;
}

TEST_F(CaptureWriterTest, RemovesTheHalfWrittenFileWhenThereIsNoMoreRoom) {
  std::mt19937_64 random{5};
  Result<CaptureWriter> writer = CaptureWriter::create(path(), sample_metadata());
  ASSERT_TRUE(writer);
  const FileSizeLimit limit{100'000};
  for (int count = 0; count < 100 && !writer->error(); ++count) {
    writer->append(noise_event(random), DataEncoding::raw);
  }
  ASSERT_TRUE(writer->error());
  EXPECT_EQ(writer->error()->errno_value, EFBIG);
  EXPECT_EQ(writer->error()->file, path());
  EXPECT_TRUE(directory_.names().empty());
  const Result<Ok> finished = writer->finish();
  ASSERT_FALSE(finished);
  EXPECT_EQ(finished.error().errno_value, EFBIG);
}

TEST_F(CaptureWriterTest, FailsWhenItCannotBePutInItsPlace) {
  Result<CaptureWriter> writer = CaptureWriter::create(path(), sample_metadata());
  ASSERT_TRUE(writer);
  ASSERT_EQ(::mkdir(path().c_str(), 0700), 0);
  const Result<Ok> finished = writer->finish();
  ASSERT_FALSE(finished);
  EXPECT_EQ(finished.error().errno_value, EISDIR);
  EXPECT_EQ(directory_.names(), std::vector<std::string>{"capture"});
}

TEST_F(CaptureWriterTest, FailsInADirectoryThatIsNotThere) {
  const std::string absent = directory_.file("absent/capture");
  const Result<CaptureWriter> writer = CaptureWriter::create(absent, sample_metadata());
  ASSERT_FALSE(writer);
  EXPECT_EQ(writer.error().errno_value, ENOENT);
  EXPECT_EQ(writer.error().file, absent);
}

TEST_F(CaptureWriterTest, DoesNotReplaceADevice) {
  Result<CaptureWriter> writer = CaptureWriter::create("/dev/null", sample_metadata());
  ASSERT_TRUE(writer) << writer.error().message();
  ASSERT_TRUE(writer->finish());
  struct stat status {};
  ASSERT_EQ(::stat("/dev/null", &status), 0);
  EXPECT_TRUE(S_ISCHR(status.st_mode));
}

TEST_F(CaptureWriterTest, WritesToADescriptor) {
  UniqueFd fd{::open(path().c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)};
  Result<CaptureWriter> writer =
      CaptureWriter::to_descriptor(std::move(fd), "evidence 7", sample_metadata());
  ASSERT_TRUE(writer);
  for (const CaptureEvent& event : sample_events()) writer->append(event, DataEncoding::raw);
  ASSERT_TRUE(writer->finish());
  const Result<std::vector<CaptureEvent>> events = read_capture(path());
  ASSERT_TRUE(events) << events.error().message();
  EXPECT_EQ(events->size(), sample_events().size());
  const Result<CaptureWriter> closed =
      CaptureWriter::to_descriptor(UniqueFd{}, "evidence 8", sample_metadata());
  ASSERT_FALSE(closed);
  EXPECT_EQ(closed.error().file, "evidence 8");
}

TEST_F(CaptureWriterTest, RefusesAnEventThatNoReaderWouldTake) {
  Result<CaptureWriter> writer = CaptureWriter::create(path(), sample_metadata());
  ASSERT_TRUE(writer);
  CaptureEvent event{.call = {.operation = KernelOperation::read, .size = kMaxEventBytes}};
  event.answer.data.resize(kMaxEventBytes);
  writer->append(event, DataEncoding::raw);
  ASSERT_TRUE(writer->error());
  EXPECT_EQ(writer->error()->code, ErrorCode::usage);
  EXPECT_TRUE(directory_.names().empty());
}

TEST_F(CaptureWriterTest, StoresTheSameTextReadAgainForNextToNothing) {
  std::mt19937_64 random{9};
  const auto size_of = [&](int copies) {
    random.seed(9);
    std::vector<CaptureEvent> text;  // 3 MiB that do not compress by themselves
    for (int part = 0; part < 48; ++part) text.push_back(noise_event(random));
    std::vector<CaptureEvent> events;
    for (int copy = 0; copy < copies; ++copy) events.insert(events.end(), text.begin(), text.end());
    EXPECT_TRUE(write_capture(path(), events));
    return read_whole_file(path()).size();
  };
  const std::size_t once = size_of(1);
  EXPECT_LT(size_of(12), once + once / 20);
}

TEST_F(CaptureWriterTest, StartsANewFrameBeforeOneGetsTooLong) {
  std::mt19937_64 random{3};
  CaptureEvent event = noise_event(random);
  while (event.answer.data.size() < (std::size_t{16} << 20)) {
    event.answer.data.insert(event.answer.data.end(), event.answer.data.begin(),
                             event.answer.data.end());
  }
  event.call.size = event.answer.data.size();
  ASSERT_TRUE(write_capture(path(), std::vector<CaptureEvent>(8, event)));
  Result<CaptureReader> reader = CaptureReader::open(path());
  ASSERT_TRUE(reader) << reader.error().message();
  std::uint64_t frames = 0;
  for (std::uint64_t last = 0;;) {
    const Result<std::optional<CaptureEvent>> next = reader->next();
    ASSERT_TRUE(next);
    if (!*next) break;
    if (reader->place().compressed_offset != last) ++frames;
    last = reader->place().compressed_offset;
  }
  EXPECT_GE(frames, 3u);
}

}  // namespace
}  // namespace smaps_audit
