// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cerrno>
#include <random>

#include "collect/capture_file.h"
#include "tests/support/temporary_directory.h"
#include "tests/unit/collect/capture_samples.h"

namespace smaps_audit {
namespace {

class CaptureWriterTest : public testing::Test {
 protected:
  [[nodiscard]] std::string path() const { return directory_.file("capture"); }

  TemporaryDirectory directory_;
};

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
  write_whole_file(path(), "an older capture");
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
