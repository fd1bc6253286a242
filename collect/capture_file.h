// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "collect/capture_event.h"
#include "collect/capture_metadata.h"

namespace smaps_audit {

/// Writes a capture (docs/capture-format.md). Memory is bounded by the compressor's window (64
/// MiB).
///
/// The first error sticks: later events are dropped, and `finish` returns it.
class CaptureWriter {
 public:
  /// A temporary file beside `path`, mode 0600, which `finish` renames; destroyed without `finish`
  /// it leaves nothing behind. What is there and no regular file (a pipe, /dev/null) is written to.
  static Result<CaptureWriter> create(const std::string& path, const CaptureMetadata& metadata);
  /// Writes to a descriptor that somebody else opened; `name` is what errors call it.
  static Result<CaptureWriter> to_descriptor(UniqueFd fd, std::string name,
                                             const CaptureMetadata& metadata);
  CaptureWriter(CaptureWriter&&) noexcept;
  CaptureWriter& operator=(CaptureWriter&&) noexcept;
  CaptureWriter(const CaptureWriter&) = delete;
  CaptureWriter& operator=(const CaptureWriter&) = delete;
  ~CaptureWriter();

  void append(const CaptureEvent& event, DataEncoding data);

  /// The error that `finish` will return, to stop early.
  [[nodiscard]] const std::optional<Error>& error() const;

  /// End mark, fsync, rename. Nothing may be appended afterwards; a second call does nothing.
  Result<Ok> finish();

 private:
  class Impl;
  explicit CaptureWriter(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Where an event stands, for messages.
struct CapturePlace {
  std::uint64_t event = 0;              ///< 0 is the metadata
  std::uint64_t compressed_offset = 0;  ///< of the frame that holds it, in the file
  std::uint64_t raw_offset = 0;         ///< in the unpacked stream of events
};

/// Reads a capture. `open` reads and verifies the whole file, so no event of a damaged one is ever
/// served: Error `truncated` or `malformed` with `file` and `offset`, the place in the compressed
/// file at which it broke.
class CaptureReader {
 public:
  /// Needs a file that can be read twice, not a pipe.
  static Result<CaptureReader> open(const std::string& path);
  static Result<CaptureReader> from_descriptor(UniqueFd fd, std::string name);
  CaptureReader(CaptureReader&&) noexcept;
  CaptureReader& operator=(CaptureReader&&) noexcept;
  CaptureReader(const CaptureReader&) = delete;
  CaptureReader& operator=(const CaptureReader&) = delete;
  ~CaptureReader();

  [[nodiscard]] const std::string& path() const;
  [[nodiscard]] const CaptureMetadata& metadata() const;
  /// Calls held: all events but metadata and end mark.
  [[nodiscard]] std::uint64_t calls() const;

  /// The next call, nullopt after the last. An error means that the file was changed while it was
  /// being read.
  Result<std::optional<CaptureEvent>> next();
  /// Of the event that `next` gave last.
  [[nodiscard]] CapturePlace place() const;

 private:
  class Impl;
  explicit CaptureReader(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace smaps_audit
