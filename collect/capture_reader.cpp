// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>

#include <cerrno>
#include <string_view>
#include <utility>

#include "collect/byte_codec.h"
#include "collect/capture_file.h"
#include "collect/capture_format.h"
#include "collect/capture_stream.h"

namespace smaps_audit {

class CaptureReader::Impl {
 public:
  Impl(UniqueFd fd, std::string name) : stream_(std::move(fd), std::move(name)) {}

  /// Reads everything once, then stands at the first call.
  Result<Ok> verify();
  Result<std::optional<CaptureEvent>> next();
  [[nodiscard]] const CaptureStream& stream() const { return stream_; }
  [[nodiscard]] const CaptureMetadata& metadata() const { return metadata_; }
  [[nodiscard]] std::uint64_t calls() const { return calls_; }

 private:
  Result<Ok> read_metadata();
  Result<Ok> check_end(std::span<const std::byte> body);

  CaptureStream stream_;
  CaptureMetadata metadata_;
  std::uint64_t calls_ = 0;
  bool ended_ = false;
};

namespace {

bool is_end(std::span<const std::byte> body) {
  return body.front() == std::byte{capture_format::kEndEvent};
}

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

Result<Ok> CaptureReader::Impl::read_metadata() {
  if (Result<Ok> started = stream_.restart(); !started) return started.error();
  auto body = stream_.next();
  if (!body) return body.error();
  if (!*body) {
    return Error{.code = ErrorCode::truncated,
                 .what = "the capture ends before its first event",
                 .file = stream_.name(),
                 .offset = stream_.file_position()};
  }
  if ((*body)->front() != std::byte{capture_format::kMetadataEvent}) {
    return stream_.event_error(ErrorCode::malformed, "the first event must be the metadata");
  }
  Result<CaptureMetadata> metadata = capture_metadata_from_json(as_text((*body)->subspan(1)));
  if (!metadata) return stream_.event_error(ErrorCode::malformed, metadata.error().what);
  metadata_ = *std::move(metadata);
  return Ok{};
}

Result<Ok> CaptureReader::Impl::check_end(std::span<const std::byte> body) {
  ByteReader reader{body.subspan(1)};
  const std::uint64_t events = reader.varint();
  if (reader.error() || reader.left() != 0) {
    return stream_.event_error(ErrorCode::malformed, "the end mark is damaged");
  }
  if (events != stream_.place().event) {
    return stream_.event_error(
        ErrorCode::malformed,
        "the end mark counts " + std::to_string(events) + " events before it");
  }
  const std::uint64_t end = stream_.file_position();
  auto after = stream_.next();
  if (!after) return after.error();
  if (*after) {
    return stream_.event_error(ErrorCode::malformed,
                               "it comes after the end mark, at byte " + std::to_string(end));
  }
  return Ok{};
}

Result<Ok> CaptureReader::Impl::verify() {
  if (Result<Ok> started = read_metadata(); !started) return started.error();
  for (;;) {
    auto body = stream_.next();
    if (!body) return body.error();
    if (!*body) {
      return Error{.code = ErrorCode::truncated,
                   .what = "the capture ends without its end mark",
                   .file = stream_.name(),
                   .offset = stream_.file_position()};
    }
    if (is_end(**body)) {
      if (Result<Ok> end = check_end(**body); !end) return end.error();
      break;
    }
    if (Result<CaptureEvent> event = decode_event(**body); !event) {
      return stream_.event_error(ErrorCode::malformed, event.error().what);
    }
    ++calls_;
  }
  return read_metadata();
}

Result<std::optional<CaptureEvent>> CaptureReader::Impl::next() {
  if (ended_) return std::optional<CaptureEvent>{};
  auto body = stream_.next();
  if (!body) return body.error();
  ended_ = !*body || is_end(**body);
  if (ended_) return std::optional<CaptureEvent>{};
  Result<CaptureEvent> event = decode_event(**body);
  if (!event) return stream_.event_error(ErrorCode::malformed, event.error().what);
  return std::optional{*std::move(event)};
}

Result<CaptureReader> CaptureReader::open(const std::string& path) {
  UniqueFd fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!fd) {
    Error error = error_from_errno(errno, "cannot open the capture", path);
    error.code = ErrorCode::io;  // `gone` and `denied` are said of processes
    return error;
  }
  return from_descriptor(std::move(fd), path);
}

Result<CaptureReader> CaptureReader::from_descriptor(UniqueFd fd, std::string name) {
  auto impl = std::make_unique<Impl>(std::move(fd), std::move(name));
  if (Result<Ok> verified = impl->verify(); !verified) return verified.error();
  return CaptureReader{std::move(impl)};
}

CaptureReader::CaptureReader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
CaptureReader::CaptureReader(CaptureReader&&) noexcept = default;
CaptureReader& CaptureReader::operator=(CaptureReader&&) noexcept = default;
CaptureReader::~CaptureReader() = default;

const std::string& CaptureReader::path() const { return impl_->stream().name(); }
const CaptureMetadata& CaptureReader::metadata() const { return impl_->metadata(); }
std::uint64_t CaptureReader::calls() const { return impl_->calls(); }
Result<std::optional<CaptureEvent>> CaptureReader::next() { return impl_->next(); }
CapturePlace CaptureReader::place() const { return impl_->stream().place(); }

}  // namespace smaps_audit
