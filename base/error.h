// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace smaps_audit {

/// Why something could not be had. Each has one sentence, `describe()`.
enum class ErrorCode : std::uint8_t {
  gone,         ///< ENOENT, ESRCH: the process (or its mm) is not there any more
  denied,       ///< EACCES, EPERM: the kernel refused
  unsupported,  ///< ENOTTY, ENOSYS, EINVAL of a feature: this kernel lacks it
  malformed,    ///< bytes that the format does not allow
  truncated,    ///< the input ends inside something
  deadline,     ///< the time or budget given for it was used up
  io,           ///< any other errno
  usage,        ///< the caller's words are off (command line, configuration)
  diverged,     ///< a replay asked for a read that the capture does not hold
};

std::string_view describe(ErrorCode code);

/// An error that a person can act on: what, in which file, at which place.
struct Error {
  ErrorCode code;
  std::string what;                          ///< a sentence without a full stop
  std::string file = {};                     ///< the file it is about, as the user would name it
  std::optional<std::uint64_t> line = {};    ///< 1-based line of a text
  std::optional<std::uint64_t> offset = {};  ///< byte offset in the file
  int errno_value = 0;

  /// "<file>:<line>: <what> (<errno in words>)", with only the parts that are there.
  [[nodiscard]] std::string message() const;
};

/// Maps an errno to the code above; `what` names the operation.
Error error_from_errno(int errno_value, std::string what, std::string file = {});

}  // namespace smaps_audit
