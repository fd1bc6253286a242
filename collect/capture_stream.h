// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <zstd.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "collect/capture_file.h"

namespace smaps_audit {

/// Private to the capture reader: a capture file as a sequence of event bodies. Holds one event,
/// one block of input and the decoder's window, whatever the file says.
class CaptureStream {
 public:
  CaptureStream(UniqueFd fd, std::string name);

  /// To the first event; checks the file's header.
  Result<Ok> restart();
  /// Body of the next event, valid until the next call; nullopt at the end of the file.
  Result<std::optional<std::span<const std::byte>>> next();

  [[nodiscard]] const std::string& name() const { return name_; }
  /// Of the event that `next` gave last.
  [[nodiscard]] const CapturePlace& place() const { return place_; }
  /// Bytes of the file that were decoded so far.
  [[nodiscard]] std::uint64_t file_position() const { return input_start_ + input_used_; }
  /// An error about the event that `next` gave last.
  [[nodiscard]] Error event_error(ErrorCode code, const std::string& what) const;

 private:
  struct ContextDeleter {
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
  };

  [[nodiscard]] Error error(ErrorCode code, std::string what, std::uint64_t offset) const;
  /// Makes at least `wanted` unused bytes of input available, fewer only at the end of the file.
  Result<std::size_t> fill_input(std::size_t wanted);
  Result<bool> start_frame();
  Result<Ok> unpack_more();
  Result<std::optional<std::span<const std::byte>>> take_event();

  UniqueFd fd_;
  std::string name_;
  std::unique_ptr<ZSTD_DCtx, ContextDeleter> context_;
  std::vector<std::byte> input_;
  std::uint64_t input_start_ = 0;  ///< offset of input_[0] in the file
  std::size_t input_used_ = 0;
  bool in_frame_ = false;
  std::uint64_t frame_start_ = 0;
  std::uint64_t frame_bytes_ = 0;
  std::vector<std::byte> raw_;
  std::size_t raw_used_ = 0;
  std::uint64_t raw_start_ = 0;  ///< offset of raw_[0] in the unpacked stream
  std::uint64_t events_ = 0;
  CapturePlace place_;
};

}  // namespace smaps_audit
