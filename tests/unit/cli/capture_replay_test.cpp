// SPDX-License-Identifier: Apache-2.0
#include "cli/capture_replay.h"

#include <gtest/gtest.h>

#include "cli_fixture.h"
#include "collect/target.h"
#include "tests/support/temporary_directory.h"

namespace smaps_audit {
namespace {

// An audit that reads a file and the clock, so that a replay that gets other answers shows.
ProcessReport reading_audit(KernelView& view, int pid, const AuditOptions& options) {
  ProcessReport report = report_with(pid, Verdict::consistent);
  EXPECT_TRUE(options.full_series);
  const auto file = view.open(KernelRoot::proc, std::to_string(pid) + "/comm");
  if (file) report.comm = read_whole(view, *file).value_or("unreadable");
  report.brackets = static_cast<std::uint64_t>(view.monotonic_now().count());
  return report;
}

class CaptureReplay : public ::testing::Test, public CliFixture {
 protected:
  void SetUp() override { audit = reading_audit; }
  TemporaryDirectory directory_;
  std::string file_ = directory_.file("evidence.cap");
};

TEST_F(CaptureReplay, GivesTheSameJsonByteForByte) {
  const CliRun captured = CliFixture::run({"capture", "7", "-o", file_, "--format", "json"});
  ASSERT_EQ(captured.exit_code, 0) << captured.err;
  kernel = [](FakeKernelView&) {};
  const CliRun replayed = CliFixture::run({"replay", file_, "--format", "json"});
  EXPECT_EQ(replayed.exit_code, 0) << replayed.err;
  EXPECT_EQ(replayed.out, captured.out);
  EXPECT_NE(captured.out.find("postgres"), std::string::npos);
}

TEST_F(CaptureReplay, NamesABrokenCaptureAndThePlace) {
  ASSERT_EQ(CliFixture::run({"capture", "7", "-o", file_}).exit_code, 0);
  const std::string whole = read_whole_file(file_);
  write_whole_file(file_, whole.substr(0, whole.size() - 5));
  const CliRun run = CliFixture::run({"replay", file_});
  EXPECT_EQ(run.exit_code, 65);
  EXPECT_NE(run.err.find(file_), std::string::npos) << run.err;
  EXPECT_NE(run.err.find("byte"), std::string::npos) << run.err;
}

TEST_F(CaptureReplay, RefusesACaptureThatHoldsOtherReads) {
  ASSERT_EQ(CliFixture::run({"capture", "7", "-o", file_}).exit_code, 0);
  audit = [](KernelView& view, int pid, const AuditOptions&) {
    static_cast<void>(view.open(KernelRoot::proc, "another/file"));
    return report_with(pid, Verdict::consistent);
  };
  const CliRun run = CliFixture::run({"replay", file_});
  EXPECT_EQ(run.exit_code, 65);
  EXPECT_EQ(run.out, "");
}

TEST_F(CaptureReplay, SaysThatThereIsNoSuchProcess) {
  const CliRun run = CliFixture::run({"capture", "999", "-o", file_});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_TRUE(directory_.names().empty());
}

TEST_F(CaptureReplay, WillNotCaptureItself) {
  EXPECT_EQ(CliFixture::run({"capture", "42", "-o", file_}).exit_code, 64);
}

TEST_F(CaptureReplay, NamesAFileThatIsNotThere) {
  const CliRun run = CliFixture::run({"replay", directory_.file("none")});
  EXPECT_EQ(run.exit_code, 65);
  EXPECT_NE(run.err.find("none"), std::string::npos) << run.err;
}

}  // namespace
}  // namespace smaps_audit
