// SPDX-License-Identifier: Apache-2.0
#include "cli/output.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

namespace smaps_audit {
namespace {

// What the user can do about it; empty: who knows.
std::string_view remedy_of(int errno_value) {
  switch (errno_value) {
    case ENOENT:
    case ENOTDIR: return "make its directory first, or name a file elsewhere";
    case EACCES:
    case EPERM: return "run this as a user who may write there, or name a file elsewhere";
    case EROFS: return "name a file elsewhere";
    case ENOSPC:
    case EDQUOT: return "free space there";
    default: return "";
  }
}

}  // namespace

FdStreambuf::FdStreambuf(int fd) : fd_(fd) {
  setp(buffer_.data(), buffer_.data() + buffer_.size());
}

FdStreambuf::~FdStreambuf() { write_out(); }

FdStreambuf::int_type FdStreambuf::overflow(int_type character) {
  if (!write_out()) return traits_type::eof();
  if (!traits_type::eq_int_type(character, traits_type::eof())) {
    *pptr() = traits_type::to_char_type(character);
    pbump(1);
  }
  return traits_type::not_eof(character);
}

int FdStreambuf::sync() { return write_out() ? 0 : -1; }

bool FdStreambuf::write_out() {
  const char* next = pbase();
  while (error_number_ == 0 && next != pptr()) {
    const ssize_t written = ::write(fd_, next, static_cast<std::size_t>(pptr() - next));
    if (written >= 0) {
      next += written;
    } else if (errno != EINTR) {
      error_number_ = errno;
    }
  }
  setp(buffer_.data(), buffer_.data() + buffer_.size());
  return error_number_ == 0;
}

Result<Output> Output::open(const std::optional<std::string>& path, std::ostream& standard,
                            FileMode mode) {
  Output output{standard};
  if (path) {
    const Result<Ok> opened = output.open_file(*path, mode);
    if (!opened) return opened.error();
  }
  return output;
}

Output::Output(Output&& other) noexcept
    : stream_(other.stream_),
      fd_(std::move(other.fd_)),
      buffer_(std::move(other.buffer_)),
      own_stream_(std::move(other.own_stream_)),
      path_(std::move(other.path_)),
      temporary_(std::exchange(other.temporary_, {})) {}

Output::~Output() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

Error Output::failed(const std::string& what, int errno_value) const {
  const std::string_view remedy = remedy_of(errno_value);
  const std::string advice = remedy.empty() ? "" : "; " + std::string{remedy};
  Error error = error_from_errno(errno_value, what + advice, path_);
  error.code = ErrorCode::io;
  return error;
}

Result<Ok> Output::open_file(const std::string& path, FileMode mode) {
  path_ = path;
  struct stat there {};
  const bool special = ::stat(path.c_str(), &there) == 0 && !S_ISREG(there.st_mode);
  if (special) {
    fd_ = UniqueFd{::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY)};
    if (!fd_) return failed("it cannot be written", errno);
  } else {
    std::string name = path + ".XXXXXX";
    fd_ = UniqueFd{::mkostemp(name.data(), O_CLOEXEC)};
    if (!fd_) return failed("no temporary file can be made beside it", errno);
    temporary_ = std::move(name);
    // mkostemp makes 0600.
    const mode_t mask = ::umask(0);
    ::umask(mask);
    const mode_t bits = mode == FileMode::for_everybody ? 0644 : 0666 & ~mask;
    if (::fchmod(fd_.get(), bits) != 0) return failed("its mode cannot be set", errno);
  }
  buffer_ = std::make_unique<FdStreambuf>(fd_.get());
  own_stream_ = std::make_unique<std::ostream>(buffer_.get());
  stream_ = own_stream_.get();
  return Ok{};
}

Result<Ok> Output::commit() {
  stream_->flush();
  if (!stream_->good()) {
    if (own_stream_ == nullptr) {
      return Error{.code = ErrorCode::io, .what = "standard output cannot be written"};
    }
    return failed("it cannot be written", buffer_->error_number());
  }
  if (temporary_.empty()) return Ok{};
  if (::fsync(fd_.get()) != 0) return failed("it cannot be written", errno);
  if (std::rename(temporary_.c_str(), path_.c_str()) != 0)
    return failed("it cannot be put in place", errno);
  temporary_.clear();
  return Ok{};
}

}  // namespace smaps_audit
