// SPDX-License-Identifier: Apache-2.0
#include "collect/capture_stream.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "collect/byte_codec.h"
#include "collect/capture_format.h"

namespace smaps_audit {
namespace {

constexpr std::size_t kInputBlock = std::size_t{128} << 10;
constexpr std::size_t kOutputBlock = std::size_t{128} << 10;
constexpr std::size_t kLongestVarint = 10;

bool starts_with(std::span<const std::byte> bytes, std::span<const unsigned char> expected) {
  return std::equal(expected.begin(), expected.end(), bytes.begin(),
                    [](unsigned char a, std::byte b) { return a == std::to_integer<int>(b); });
}

}  // namespace

CaptureStream::CaptureStream(UniqueFd fd, std::string name)
    : fd_(std::move(fd)), name_(std::move(name)), context_(ZSTD_createDCtx()) {
  if (context_ != nullptr) {
    ZSTD_DCtx_setParameter(context_.get(), ZSTD_d_windowLogMax, capture_format::kWindowLog);
  }
}

Error CaptureStream::error(ErrorCode code, std::string what, std::uint64_t offset) const {
  return Error{.code = code, .what = std::move(what), .file = name_, .offset = offset};
}

Error CaptureStream::event_error(ErrorCode code, const std::string& what) const {
  return error(code,
               "event " + std::to_string(place_.event) + " of the capture (byte " +
                   std::to_string(place_.raw_offset) + " unpacked): " + what,
               place_.compressed_offset);
}

Result<std::size_t> CaptureStream::fill_input(std::size_t wanted) {
  if (input_.size() - input_used_ >= wanted) return input_.size() - input_used_;
  input_.erase(input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(input_used_));
  input_start_ += std::exchange(input_used_, 0);
  while (input_.size() < wanted) {
    const std::size_t had = input_.size();
    input_.resize(had + kInputBlock);
    const ssize_t got = ::pread(fd_.get(), input_.data() + had, kInputBlock,
                                static_cast<off_t>(input_start_ + had));
    const int errno_value = errno;
    input_.resize(had + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got == 0) break;
    if (got < 0 && errno_value != EINTR) {
      Error failure = error_from_errno(errno_value, "cannot read the capture", name_);
      failure.code = ErrorCode::io;
      if (errno_value == ESPIPE) failure.what = "a capture must be a file that can be read twice";
      return failure;
    }
  }
  return input_.size();
}

Result<Ok> CaptureStream::restart() {
  input_.clear();
  raw_.clear();
  input_start_ = input_used_ = raw_start_ = raw_used_ = events_ = 0;
  in_frame_ = false;
  place_ = {};
  if (context_ == nullptr) return error(ErrorCode::io, "cannot set up the decompression", 0);
  Result<std::size_t> available = fill_input(capture_format::kHeaderBytes);
  if (!available) return available.error();
  const std::span header{capture_format::kHeader};
  const std::size_t magic = std::min(*available, capture_format::kMagicBytes);
  if (!starts_with(input_, header.first(magic))) {
    return error(ErrorCode::malformed, "not a capture of smaps-audit", 0);
  }
  if (*available < capture_format::kHeaderBytes) {
    return error(ErrorCode::truncated, "the capture ends inside its header", *available);
  }
  ByteReader reader{std::span{input_}.subspan(capture_format::kMagicBytes, 8)};
  const std::uint64_t version = reader.fixed64();  // with the reserved word above it
  if ((version & 0xffffffff) != header[capture_format::kMagicBytes]) {
    return error(ErrorCode::malformed,
                 "capture format " + std::to_string(version & 0xffffffff) +
                     ", but this program knows format 1 only",
                 capture_format::kMagicBytes);
  }
  if (version >> 32 != 0) {
    return error(ErrorCode::malformed, "the reserved word of the header is not 0",
                 capture_format::kMagicBytes + 4);
  }
  input_used_ = capture_format::kHeaderBytes;
  return Ok{};
}

Result<bool> CaptureStream::start_frame() {
  const std::size_t size = capture_format::kFrameStart.size();
  Result<std::size_t> available = fill_input(size);
  if (!available) return available.error();
  if (*available == 0) return false;
  const std::uint64_t position = file_position();
  const auto start = std::span{input_}.subspan(input_used_, std::min(size, *available));
  if (!starts_with(start, std::span{capture_format::kFrameStart}.first(start.size()))) {
    return error(ErrorCode::malformed, "no frame of a capture starts here", position);
  }
  if (*available < size) {
    return error(ErrorCode::truncated, "the capture ends inside a frame", position + *available);
  }
  ZSTD_DCtx_reset(context_.get(), ZSTD_reset_session_only);
  in_frame_ = true;
  frame_start_ = position;
  frame_bytes_ = 0;
  return true;
}

Result<Ok> CaptureStream::unpack_more() {
  Result<std::size_t> available = fill_input(1);
  if (!available) return available.error();
  raw_.erase(raw_.begin(), raw_.begin() + static_cast<std::ptrdiff_t>(raw_used_));
  raw_start_ += std::exchange(raw_used_, 0);
  const std::size_t had = raw_.size();
  raw_.resize(had + kOutputBlock);
  ZSTD_inBuffer in{input_.data(), input_.size(), input_used_};
  ZSTD_outBuffer out{raw_.data(), raw_.size(), had};
  const std::size_t hint = ZSTD_decompressStream(context_.get(), &out, &in);
  raw_.resize(out.pos);
  input_used_ = in.pos;
  if (ZSTD_isError(hint) != 0) {
    return error(ErrorCode::malformed,
                 std::string{"the frame that starts at byte "} + std::to_string(frame_start_) +
                     " is damaged: " + ZSTD_getErrorName(hint),
                 file_position());
  }
  frame_bytes_ += out.pos - had;
  if (frame_bytes_ > capture_format::kMaxFrameBytes) {
    return error(ErrorCode::malformed, "a frame holds more than a capture's frames do",
                 frame_start_);
  }
  if (hint == 0) {
    in_frame_ = false;
  } else if (*available == 0 && out.pos == had) {
    return error(ErrorCode::truncated, "the capture ends inside a frame", file_position());
  }
  return Ok{};
}

Result<std::optional<std::span<const std::byte>>> CaptureStream::take_event() {
  using Answer = std::optional<std::span<const std::byte>>;
  const auto unused = std::span<const std::byte>{raw_}.subspan(raw_used_);
  ByteReader reader{unused.first(std::min(unused.size(), kLongestVarint))};
  const std::uint64_t size = reader.varint();
  place_ = {
      .event = events_, .compressed_offset = frame_start_, .raw_offset = raw_start_ + raw_used_};
  if (reader.error()) {
    if (reader.error()->code == ErrorCode::truncated) return Answer{};
    return event_error(ErrorCode::malformed, reader.error()->what);
  }
  if (size == 0 || size > kMaxEventBytes) {
    return event_error(ErrorCode::malformed,
                       "a length of " + std::to_string(size) + " bytes is out of bounds");
  }
  if (size > unused.size() - reader.position()) return Answer{};
  const auto body = unused.subspan(reader.position(), static_cast<std::size_t>(size));
  raw_used_ += reader.position() + body.size();
  ++events_;
  return Answer{body};
}

Result<std::optional<std::span<const std::byte>>> CaptureStream::next() {
  for (;;) {
    auto event = take_event();
    if (!event || *event) return event;
    if (!in_frame_) {
      if (raw_used_ < raw_.size()) {
        return event_error(ErrorCode::malformed, "it crosses the end of its frame");
      }
      Result<bool> started = start_frame();
      if (!started) return started.error();
      if (!*started) return std::optional<std::span<const std::byte>>{};
    }
    if (Result<Ok> more = unpack_more(); !more) return more.error();
  }
}

}  // namespace smaps_audit
