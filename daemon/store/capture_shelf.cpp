// SPDX-License-Identifier: Apache-2.0
#include "daemon/store/capture_shelf.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <set>

#include "daemon/store/wall_time.h"

namespace smaps_audit::store {
namespace {

constexpr mode_t kDirectoryMode = 0750;
constexpr mode_t kFileMode = 0640;
constexpr const char* kDraftPrefix = "draft-";

Result<Ok> write_all(int fd, const char* bytes, std::size_t count) {
  while (count != 0) {
    const ssize_t written = ::write(fd, bytes, count);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return error_from_errno(errno, "a capture cannot be written");
    bytes += written;
    count -= static_cast<std::size_t>(written);
  }
  return Ok{};
}

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

}  // namespace

CaptureDraft::CaptureDraft(CaptureDraft&& other) noexcept
    : directory_(std::move(other.directory_)),
      fd_(std::move(other.fd_)),
      name_(std::exchange(other.name_, {})) {}

CaptureDraft::~CaptureDraft() {
  if (!name_.empty()) ::unlinkat(directory_.get(), name_.c_str(), 0);
}

Result<Ok> CaptureDraft::copy_from(int source, std::uint64_t bytes) {
  if (::ftruncate(fd_.get(), 0) != 0 || ::lseek(fd_.get(), 0, SEEK_SET) != 0) {
    return error_from_errno(errno, "a capture cannot be written");
  }
  std::array<char, 65536> buffer{};
  std::uint64_t done = 0;
  while (done < bytes) {
    const std::size_t want = std::min<std::uint64_t>(buffer.size(), bytes - done);
    const ssize_t got = ::pread(source, buffer.data(), want, static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return error_from_errno(errno, "what was captured cannot be read");
    if (got == 0) {
      return Error{.code = ErrorCode::truncated, .what = "the capture is shorter than was said"};
    }
    const Result<Ok> written = write_all(fd_.get(), buffer.data(), static_cast<std::size_t>(got));
    if (!written) return written.error();
    done += static_cast<std::uint64_t>(got);
  }
  return Ok{};
}

Result<CaptureShelf> CaptureShelf::open(const std::string& path) {
  if (::mkdir(path.c_str(), kDirectoryMode) != 0 && errno != EEXIST) {
    return error_from_errno(errno, "the directory of captures cannot be made", path);
  }
  UniqueFd directory{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
  if (!directory) return error_from_errno(errno, "the directory of captures", path);
  return CaptureShelf{std::move(directory), path};
}

Result<CaptureDraft> CaptureShelf::begin() const {
  UniqueFd directory{::fcntl(directory_.get(), F_DUPFD_CLOEXEC, 0)};
  if (!directory) return error_from_errno(errno, "no capture can be begun", path_);
  constexpr int kMostNames = 1000;
  for (int number = 0; number < kMostNames; ++number) {
    std::string name = kDraftPrefix + std::to_string(number);
    UniqueFd fd{::openat(directory.get(), name.c_str(),
                         O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, kFileMode)};
    if (fd) return CaptureDraft{std::move(directory), std::move(fd), std::move(name)};
    if (errno != EEXIST) break;
  }
  return error_from_errno(errno, "no capture can be begun", path_);
}

Result<StoredCapture> CaptureShelf::keep(CaptureDraft draft, const ProcessKey& process,
                                         WallTime taken, std::uint64_t most_bytes) const {
  struct stat status {};
  if (::fstat(draft.fd(), &status) != 0) return error_from_errno(errno, "a capture", path_);
  const auto bytes = static_cast<std::uint64_t>(status.st_size);
  if (bytes == 0 || bytes > most_bytes) {
    return Error{.code = ErrorCode::malformed,
                 .what = bytes == 0 ? "the capture is empty" : "the capture is too large to keep",
                 .file = path_};
  }
  if (::fsync(draft.fd()) != 0) return error_from_errno(errno, "a capture is not safe", path_);
  const std::string stem = compact_time(taken) + "-" + std::to_string(process.pid) + "-" +
                           std::to_string(process.start_time_ticks);
  constexpr int kMostNames = 1000;
  for (int number = 1; number <= kMostNames; ++number) {
    const std::string name = stem + (number == 1 ? "" : "-" + std::to_string(number)) + ".cap";
    // Not rename(): it would replace what is there.
    if (::linkat(directory_.get(), draft.name_.c_str(), directory_.get(), name.c_str(), 0) == 0) {
      const Result<Ok> synced = sync_directory();
      if (!synced) return synced.error();
      return StoredCapture{.name = name, .bytes = bytes, .taken = taken};
    }
    if (errno != EEXIST) break;
  }
  return error_from_errno(errno, "a capture cannot be put in place", path_);
}

Result<Ok> CaptureShelf::remove(const std::string& name) const {
  if (::unlinkat(directory_.get(), name.c_str(), 0) == 0 || errno == ENOENT) return Ok{};
  return error_from_errno(errno, "it cannot be removed", path_of(name));
}

Result<std::uint64_t> CaptureShelf::remove_orphans(const std::vector<StoredCapture>& known) const {
  UniqueFd copy{::openat(directory_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  const std::unique_ptr<DIR, CloseDirectory> listing{copy ? ::fdopendir(copy.get()) : nullptr};
  if (listing == nullptr) return error_from_errno(errno, "captures cannot be listed", path_);
  static_cast<void>(copy.release());
  std::set<std::string_view> names;
  for (const StoredCapture& capture : known) names.insert(capture.name);
  std::vector<std::string> orphans;
  while (const dirent* const entry = ::readdir(listing.get())) {
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (!names.contains(name)) orphans.push_back(name);
  }
  std::uint64_t removed = 0;
  for (const std::string& name : orphans) {
    // A directory is nobody's capture: it stays.
    if (::unlinkat(directory_.get(), name.c_str(), 0) == 0) ++removed;
  }
  return removed;
}

bool CaptureShelf::holds(const std::string& name) const {
  struct stat status {};
  return ::fstatat(directory_.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
         S_ISREG(status.st_mode);
}

std::string CaptureShelf::path_of(std::string_view name) const {
  return path_ + "/" + std::string{name};
}

Result<Ok> CaptureShelf::sync_directory() const {
  if (::fsync(directory_.get()) != 0) {
    return error_from_errno(errno, "the directory of captures is not safe", path_);
  }
  return Ok{};
}

}  // namespace smaps_audit::store
