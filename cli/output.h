// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <ostream>
#include <streambuf>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace smaps_audit {

/// A std::streambuf over a descriptor that it does not own, which remembers the errno of a write
/// that failed (std::ofstream and std::cout forget it). EINTR is retried.
class FdStreambuf final : public std::streambuf {
 public:
  explicit FdStreambuf(int fd);
  FdStreambuf(const FdStreambuf&) = delete;
  FdStreambuf& operator=(const FdStreambuf&) = delete;
  FdStreambuf(FdStreambuf&&) = delete;
  FdStreambuf& operator=(FdStreambuf&&) = delete;
  ~FdStreambuf() override;

  [[nodiscard]] int error_number() const { return error_number_; }

 protected:
  int_type overflow(int_type character) override;
  int sync() override;

 private:
  bool write_out();

  int fd_;
  int error_number_ = 0;
  std::array<char, 16384> buffer_{};
};

/// Who may read a file that is made.
enum class FileMode : std::uint8_t {
  by_umask,       ///< as any file that the user makes
  for_everybody,  ///< 0644
};

/// Where a report goes: a stream that somebody else owns, or a file that appears whole or not at
/// all (temporary file in the same directory, fsync, rename). What is there already and no regular
/// file (/dev/null, a pipe) is written to directly. Errors name the file and what can be done.
class Output {
 public:
  /// `path` nullopt: `standard`.
  static Result<Output> open(const std::optional<std::string>& path, std::ostream& standard,
                             FileMode mode = FileMode::by_umask);
  Output(Output&& other) noexcept;
  Output& operator=(Output&&) = delete;
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  ~Output();  ///< without commit(): the temporary file is removed

  std::ostream& stream() { return *stream_; }
  [[nodiscard]] bool is_file() const { return own_stream_ != nullptr; }

  /// Flushes and, for a file, puts it in place. The error names the file.
  Result<Ok> commit();

 private:
  explicit Output(std::ostream& standard) : stream_(&standard) {}
  Result<Ok> open_file(const std::string& path, FileMode mode);
  [[nodiscard]] Error failed(const std::string& what, int errno_value) const;

  std::ostream* stream_;
  UniqueFd fd_;
  std::unique_ptr<FdStreambuf> buffer_;
  std::unique_ptr<std::ostream> own_stream_;
  std::string path_;
  std::string temporary_;  ///< empty: nothing to rename
};

}  // namespace smaps_audit
