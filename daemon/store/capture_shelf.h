// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "daemon/store/stored_finding.h"

namespace smaps_audit::store {

/// A capture in the making: a file under a name that no reader takes for a capture, mode 0640.
/// Destroyed before it was kept, it leaves nothing behind.
class CaptureDraft {
 public:
  CaptureDraft(CaptureDraft&& other) noexcept;
  CaptureDraft& operator=(CaptureDraft&&) = delete;
  CaptureDraft(const CaptureDraft&) = delete;
  CaptureDraft& operator=(const CaptureDraft&) = delete;
  ~CaptureDraft();

  /// To be written through. Whoever holds a copy can change the capture for ever: a process that is
  /// not trusted with that writes into a file of its own, and copy_from() takes it over.
  [[nodiscard]] int fd() const { return fd_.get(); }

  /// Replaces what was written by the first `bytes` of another descriptor, whose offset stays.
  /// `truncated` if it holds less.
  Result<Ok> copy_from(int source, std::uint64_t bytes);

 private:
  friend class CaptureShelf;
  CaptureDraft(UniqueFd directory, UniqueFd fd, std::string name)
      : directory_(std::move(directory)), fd_(std::move(fd)), name_(std::move(name)) {}

  UniqueFd directory_;
  UniqueFd fd_;
  std::string name_;  ///< empty: kept
};

/// The directory of captures. A file has its final name only once all of it is on the disk.
class CaptureShelf {
 public:
  /// Made (0750) if it is not there; never through a symbolic link.
  static Result<CaptureShelf> open(const std::string& path);

  Result<CaptureDraft> begin() const;
  /// fsync, then its name ("20261123T060408Z-4211-98765.cap", "-2" and so on if that is taken),
  /// then fsync of the directory. An empty draft, or one above `most_bytes`, is an error.
  Result<StoredCapture> keep(CaptureDraft draft, const ProcessKey& process, WallTime taken,
                             std::uint64_t most_bytes) const;
  /// Ok also where it is not there.
  Result<Ok> remove(const std::string& name) const;

  /// Removes every file that is not in `known`: drafts and captures of which no row tells, left by
  /// a kill. Returns how many.
  Result<std::uint64_t> remove_orphans(const std::vector<StoredCapture>& known) const;
  [[nodiscard]] bool holds(const std::string& name) const;
  [[nodiscard]] std::string path_of(std::string_view name) const;

 private:
  CaptureShelf(UniqueFd directory, std::string path)
      : directory_(std::move(directory)), path_(std::move(path)) {}
  Result<Ok> sync_directory() const;

  UniqueFd directory_;
  std::string path_;
};

}  // namespace smaps_audit::store
