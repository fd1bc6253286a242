// SPDX-License-Identifier: Apache-2.0
#include "cli/output.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <csignal>
#include <sstream>

#include "tests/support/temporary_directory.h"

namespace smaps_audit {
namespace {

TEST(Output, PutsAFileInPlaceOnlyWhenItIsWhole) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("report");
  write_whole_file(path, "old");
  std::ostringstream standard;
  {
    Result<Output> output = Output::open(path, standard);
    ASSERT_TRUE(output.ok());
    output->stream() << "new";
    EXPECT_EQ(read_whole_file(path), "old");
    ASSERT_TRUE(output->commit().ok());
  }
  EXPECT_EQ(read_whole_file(path), "new");
  EXPECT_EQ(directory.names(), std::vector<std::string>{"report"});
}

TEST(Output, LeavesNothingBehindWithoutCommit) {
  const TemporaryDirectory directory;
  std::ostringstream standard;
  {
    Result<Output> output = Output::open(directory.file("report"), standard);
    ASSERT_TRUE(output.ok());
    output->stream() << "half";
  }
  EXPECT_TRUE(directory.names().empty());
}

TEST(Output, GivesAFileTheModeThatTheUmaskLeaves) {
  const TemporaryDirectory directory;
  const mode_t before = ::umask(027);
  std::ostringstream standard;
  Result<Output> output = Output::open(directory.file("report"), standard);
  ASSERT_TRUE(output.ok());
  ASSERT_TRUE(output->commit().ok());
  ::umask(before);
  struct stat there {};
  ASSERT_EQ(::stat(directory.file("report").c_str(), &there), 0);
  EXPECT_EQ(there.st_mode & 07777U, 0640U);
}

TEST(Output, GivesAFileForEverybodyItsModeWhateverTheUmask) {
  const TemporaryDirectory directory;
  const mode_t before = ::umask(077);
  std::ostringstream standard;
  Result<Output> output = Output::open(directory.file("report"), standard, FileMode::for_everybody);
  ASSERT_TRUE(output.ok());
  ASSERT_TRUE(output->commit().ok());
  ::umask(before);
  struct stat there {};
  ASSERT_EQ(::stat(directory.file("report").c_str(), &there), 0);
  EXPECT_EQ(there.st_mode & 07777U, 0644U);
}

TEST(Output, SaysWhatToDoWhereTheDirectoryIsMissing) {
  const TemporaryDirectory directory;
  std::ostringstream standard;
  const Result<Output> output = Output::open(directory.file("none/report"), standard);
  ASSERT_FALSE(output.ok());
  EXPECT_NE(output.error().message().find("none/report"), std::string::npos);
  EXPECT_NE(output.error().message().find("make its directory first"), std::string::npos);
}

TEST(Output, SaysWhatToDoWhereTheDirectoryIsAFile) {
  const TemporaryDirectory directory;
  write_whole_file(directory.file("file"), "");
  std::ostringstream standard;
  const Result<Output> output = Output::open(directory.file("file/report"), standard);
  ASSERT_FALSE(output.ok());
  EXPECT_NE(output.error().message().find("make its directory first"), std::string::npos);
}

TEST(Output, WritesStraightIntoWhatIsNoRegularFile) {
  std::ostringstream standard;
  Result<Output> output = Output::open("/dev/null", standard);
  ASSERT_TRUE(output.ok());
  output->stream() << "gone";
  EXPECT_TRUE(output->commit().ok());
}

TEST(Output, NamesTheFileThatIsFull) {
  std::ostringstream standard;
  Result<Output> output = Output::open("/dev/full", standard);
  ASSERT_TRUE(output.ok());
  output->stream() << "too much";
  const Result<Ok> committed = output->commit();
  ASSERT_FALSE(committed.ok());
  EXPECT_NE(committed.error().message().find("/dev/full"), std::string::npos);
  EXPECT_NE(committed.error().message().find("free space there"), std::string::npos);
  EXPECT_EQ(committed.error().errno_value, ENOSPC);
}

TEST(FdStreambuf, RemembersThatNobodyReads) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  UniqueFd write_end{ends[1]};
  ::close(ends[0]);
  auto* const before = std::signal(SIGPIPE, SIG_IGN);
  FdStreambuf buffer{write_end.get()};
  std::ostream stream{&buffer};
  stream << "hello" << std::flush;
  std::signal(SIGPIPE, before);
  EXPECT_FALSE(stream.good());
  EXPECT_EQ(buffer.error_number(), EPIPE);
}

}  // namespace
}  // namespace smaps_audit
