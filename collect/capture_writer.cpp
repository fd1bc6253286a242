// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <utility>
#include <vector>

#include "collect/byte_codec.h"
#include "collect/capture_file.h"
#include "collect/capture_format.h"

namespace smaps_audit {
namespace {

constexpr int kCompressionLevel = 3;

struct ContextDeleter {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};

}  // namespace

class CaptureWriter::Impl {
 public:
  Impl(UniqueFd fd, std::string name, std::string temporary)
      : fd_(std::move(fd)), name_(std::move(name)), temporary_(std::move(temporary)) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() { abandon(); }

  Result<Ok> start(const CaptureMetadata& metadata);
  void append(const CaptureEvent& event, DataEncoding data);
  Result<Ok> finish();
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }

 private:
  void append_body();
  void compress(std::span<const std::byte> raw, ZSTD_EndDirective directive);
  void end_frame();
  void write_out(const void* data, std::size_t size);
  void fail(Error error);
  void abandon();

  UniqueFd fd_;
  std::string name_;
  std::string temporary_;  ///< empty: there is none (any more)
  std::unique_ptr<ZSTD_CCtx, ContextDeleter> context_{ZSTD_createCCtx()};
  std::vector<std::byte> packed_ = std::vector<std::byte>(ZSTD_CStreamOutSize());
  std::vector<std::byte> body_;    ///< of the event being appended; kept for its capacity
  std::vector<std::byte> length_;  ///< its length, as a varint
  std::uint64_t frame_bytes_ = 0;
  std::uint64_t events_ = 0;
  bool finished_ = false;
  std::optional<Error> error_;
};

Result<Ok> CaptureWriter::Impl::start(const CaptureMetadata& metadata) {
  ZSTD_CCtx* const context = context_.get();
  const bool configured =
      context != nullptr &&
      ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, kCompressionLevel)) ==
          0 &&
      ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, capture_format::kWindowLog)) ==
          0 &&
      ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_enableLongDistanceMatching, 1)) == 0 &&
      ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)) == 0 &&
      ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0)) == 0;
  if (!configured) {
    fail(Error{.code = ErrorCode::io, .what = "cannot set up the compression", .file = name_});
  }
  write_out(capture_format::kHeader.data(), capture_format::kHeader.size());
  body_ = {std::byte{capture_format::kMetadataEvent}};
  const std::string json = capture_metadata_to_json(metadata);
  const auto json_bytes = std::as_bytes(std::span{json});
  body_.insert(body_.end(), json_bytes.begin(), json_bytes.end());
  append_body();
  if (error_) return *error_;
  return Ok{};
}

void CaptureWriter::Impl::append(const CaptureEvent& event, DataEncoding data) {
  if (error_ || finished_) return;
  body_.clear();
  encode_event(event, data, body_);
  append_body();
}

void CaptureWriter::Impl::append_body() {
  if (body_.size() > kMaxEventBytes) {
    fail(Error{.code = ErrorCode::usage,
               .what = "a call of " + std::to_string(body_.size()) +
                       " bytes is more than a capture holds (" + std::to_string(kMaxEventBytes) +
                       ")",
               .file = name_});
    return;
  }
  length_.clear();
  ByteWriter{length_}.varint(body_.size());
  const std::size_t size = length_.size() + body_.size();
  if (frame_bytes_ + size > capture_format::kMaxFrameBytes) end_frame();
  compress(length_, ZSTD_e_continue);
  compress(body_, ZSTD_e_continue);
  frame_bytes_ += size;
  ++events_;
}

void CaptureWriter::Impl::compress(std::span<const std::byte> raw, ZSTD_EndDirective directive) {
  ZSTD_inBuffer in{raw.data(), raw.size(), 0};
  for (bool done = false; !done && !error_;) {
    ZSTD_outBuffer out{packed_.data(), packed_.size(), 0};
    const std::size_t left = ZSTD_compressStream2(context_.get(), &out, &in, directive);
    if (ZSTD_isError(left) != 0) {
      fail(Error{.code = ErrorCode::io,
                 .what = std::string{"cannot compress: "} + ZSTD_getErrorName(left),
                 .file = name_});
      return;
    }
    write_out(packed_.data(), out.pos);
    done = directive == ZSTD_e_end ? left == 0 : in.pos == in.size;
  }
}

void CaptureWriter::Impl::end_frame() {
  compress({}, ZSTD_e_end);
  frame_bytes_ = 0;
}

void CaptureWriter::Impl::write_out(const void* data, std::size_t size) {
  const auto* at = static_cast<const std::byte*>(data);
  while (size > 0 && !error_) {
    const ssize_t written = ::write(fd_.get(), at, size);
    if (written < 0) {
      if (errno != EINTR) fail(error_from_errno(errno, "cannot write the capture", name_));
      continue;
    }
    at += written;
    size -= static_cast<std::size_t>(written);
  }
}

Result<Ok> CaptureWriter::Impl::finish() {
  if (error_) return *error_;
  if (finished_) return Ok{};
  body_ = {std::byte{capture_format::kEndEvent}};
  ByteWriter{body_}.varint(events_);
  append_body();
  end_frame();
  // A pipe or a device cannot be synced, and need not be.
  if (!error_ && ::fsync(fd_.get()) < 0 && errno != EINVAL && errno != EROFS) {
    fail(error_from_errno(errno, "cannot write the capture", name_));
  }
  if (!error_ && !temporary_.empty() && ::rename(temporary_.c_str(), name_.c_str()) < 0) {
    fail(error_from_errno(errno, "cannot put the capture in its place", name_));
  }
  if (error_) return *error_;
  temporary_.clear();
  fd_.reset();
  finished_ = true;
  return Ok{};
}

void CaptureWriter::Impl::fail(Error error) {
  if (error_) return;
  // A disk without room and a name that is not there are both matters of the output, not of the
  // target.
  error.code = error.code == ErrorCode::usage ? ErrorCode::usage : ErrorCode::io;
  error_ = std::move(error);
  abandon();
}

void CaptureWriter::Impl::abandon() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
  temporary_.clear();
  fd_.reset();
}

namespace {

Error cannot_create(int errno_value, const std::string& path) {
  Error error = error_from_errno(errno_value, "cannot create the capture", path);
  error.code = ErrorCode::io;
  return error;
}

}  // namespace

Result<CaptureWriter> CaptureWriter::create(const std::string& path,
                                            const CaptureMetadata& metadata) {
  struct stat status {};
  std::string temporary;
  UniqueFd fd;
  if (::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
    // Renaming onto /dev/null would replace the device.
    fd = UniqueFd{::open(path.c_str(), O_WRONLY | O_CLOEXEC)};
  } else {
    temporary = path + ".XXXXXX";
    fd = UniqueFd{::mkostemp(temporary.data(), O_CLOEXEC)};
  }
  if (!fd) return cannot_create(errno, path);
  auto impl = std::make_unique<Impl>(std::move(fd), path, std::move(temporary));
  if (Result<Ok> started = impl->start(metadata); !started) return started.error();
  return CaptureWriter{std::move(impl)};
}

Result<CaptureWriter> CaptureWriter::to_descriptor(UniqueFd fd, std::string name,
                                                   const CaptureMetadata& metadata) {
  auto impl = std::make_unique<Impl>(std::move(fd), std::move(name), "");
  if (Result<Ok> started = impl->start(metadata); !started) return started.error();
  return CaptureWriter{std::move(impl)};
}

CaptureWriter::CaptureWriter(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
CaptureWriter::CaptureWriter(CaptureWriter&&) noexcept = default;
CaptureWriter& CaptureWriter::operator=(CaptureWriter&&) noexcept = default;
CaptureWriter::~CaptureWriter() = default;

void CaptureWriter::append(const CaptureEvent& event, DataEncoding data) {
  impl_->append(event, data);
}

const std::optional<Error>& CaptureWriter::error() const { return impl_->error(); }

Result<Ok> CaptureWriter::finish() { return impl_->finish(); }

}  // namespace smaps_audit
