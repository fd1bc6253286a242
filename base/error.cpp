// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"

#include <cerrno>
#include <system_error>

namespace smaps_audit {

std::string_view describe(ErrorCode code) {
  switch (code) {
    case ErrorCode::gone: return "the process is not there any more";
    case ErrorCode::denied: return "the kernel refused access";
    case ErrorCode::unsupported: return "this kernel does not offer it";
    case ErrorCode::malformed: return "the content is not what the format allows";
    case ErrorCode::truncated: return "the content ends in the middle";
    case ErrorCode::deadline: return "the time given for it was used up";
    case ErrorCode::io: return "input or output failed";
    case ErrorCode::usage: return "the request makes no sense";
    case ErrorCode::diverged: return "the capture does not hold this read";
  }
  return "unknown error";
}

std::string Error::message() const {
  std::string text;
  if (!file.empty()) text += file;
  if (line) text += (text.empty() ? "line " : ":") + std::to_string(*line);
  if (offset) text += (text.empty() ? "" : " ") + ("at byte " + std::to_string(*offset));
  if (!text.empty()) text += ": ";
  text += what.empty() ? std::string{describe(code)} : what;
  if (errno_value != 0) text += " (" + std::generic_category().message(errno_value) + ")";
  return text;
}

Error error_from_errno(int errno_value, std::string what, std::string file) {
  ErrorCode code = ErrorCode::io;
  switch (errno_value) {
    case ENOENT:
    case ESRCH: code = ErrorCode::gone; break;
    case EACCES:
    case EPERM: code = ErrorCode::denied; break;
    case ENOTTY:
    case ENOSYS:
    case EOPNOTSUPP: code = ErrorCode::unsupported; break;
    default: break;
  }
  return Error{
      .code = code, .what = std::move(what), .file = std::move(file), .errno_value = errno_value};
}

}  // namespace smaps_audit
