// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <set>

#include "base/error_codes.h"

namespace smaps_audit {
namespace {

TEST(ErrorMessage, HoldsOnlyThePartsThatAreThere) {
  EXPECT_EQ((Error{.code = ErrorCode::io, .what = "a thing failed"}.message()), "a thing failed");
  EXPECT_EQ((Error{.code = ErrorCode::io, .what = "bad", .file = "/x"}.message()), "/x: bad");
  EXPECT_EQ((Error{.code = ErrorCode::io, .what = "bad", .line = 7}.message()), "line 7: bad");
  EXPECT_EQ((Error{.code = ErrorCode::io, .what = "bad", .file = "/x", .line = 7}.message()),
            "/x:7: bad");
  EXPECT_EQ((Error{.code = ErrorCode::io, .what = "bad", .file = "/x", .offset = 9}.message()),
            "/x at byte 9: bad");
  EXPECT_EQ((Error{.code = ErrorCode::io, .what = "bad", .offset = 9}.message()), "at byte 9: bad");
}

TEST(ErrorMessage, EndsWithTheErrnoInWords) {
  EXPECT_EQ((Error{.code = ErrorCode::denied, .what = "bad", .errno_value = EACCES}.message()),
            "bad (Permission denied)");
}

TEST(ErrorMessage, FallsBackToTheCode) {
  EXPECT_EQ((Error{.code = ErrorCode::gone, .what = {}}.message()),
            "the process is not there any more");
}

TEST(ErrorCodes, HaveASentenceEach) {
  for (const ErrorCode code : kErrorCodes) {
    EXPECT_GT(describe(code).size(), 10u);
    EXPECT_NE(describe(code), "unknown error");
  }
}

TEST(ErrorCodes, AreListedWholeEachWithAName) {
  std::set<std::string_view> names;
  for (const ErrorCode code : kErrorCodes) {
    EXPECT_EQ(code, kErrorCodes[static_cast<std::size_t>(code)]);
    EXPECT_TRUE(names.insert(name_of(code)).second);
  }
  EXPECT_FALSE(names.contains("unknown"));
  EXPECT_EQ(name_of(static_cast<ErrorCode>(kErrorCodes.size())), "unknown");
}

TEST(ErrorFromErrno, MapsToTheCodesThatAVerdictDependsOn) {
  EXPECT_EQ(error_from_errno(ENOENT, "open").code, ErrorCode::gone);
  EXPECT_EQ(error_from_errno(ESRCH, "read").code, ErrorCode::gone);
  EXPECT_EQ(error_from_errno(EACCES, "open").code, ErrorCode::denied);
  EXPECT_EQ(error_from_errno(EPERM, "open").code, ErrorCode::denied);
  EXPECT_EQ(error_from_errno(ENOTTY, "ioctl").code, ErrorCode::unsupported);
  EXPECT_EQ(error_from_errno(EIO, "read").code, ErrorCode::io);
}

TEST(ErrorFromErrno, KeepsWhatItWasToldAbout) {
  const Error error = error_from_errno(EIO, "cannot read", "/proc/1/smaps");
  EXPECT_EQ(error.message(), "/proc/1/smaps: cannot read (Input/output error)");
  EXPECT_EQ(error.errno_value, EIO);
}

}  // namespace
}  // namespace smaps_audit
