// SPDX-License-Identifier: Apache-2.0
#include "daemon/heartbeat.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <string_view>
#include <utility>

#include "base/parse_int.h"

namespace smaps_audit::service {
namespace {

enum Word : std::uint8_t { kReads, kPid, kWords };
constexpr std::size_t kFileBytes = kWords * sizeof(std::uint64_t);
/// A pause is no read that got stuck, however long it is.
constexpr Nanoseconds kLongestNap = std::chrono::milliseconds(250);

int pid_or_none(std::uint64_t number) { return number <= INT32_MAX ? static_cast<int>(number) : 0; }

// "4211/smaps" below the root, or below a directory that is the root opened.
int pid_of_path(std::string_view path) {
  return pid_or_none(parse_unsigned(path.substr(0, path.find('/'))).value_or(0));
}

}  // namespace

Result<UniqueFd> make_heartbeat_file() {
  UniqueFd file{::memfd_create("smaps-audit-heartbeat", MFD_CLOEXEC)};
  if (!file || ::ftruncate(file.get(), kFileBytes) != 0) {
    return error_from_errno(errno, "cannot make a file for a worker's heartbeat");
  }
  return file;
}

std::optional<Heartbeat> read_heartbeat(const UniqueFd& file) {
  // Read, not mapped: a worker may cut the file short.
  std::array<std::uint64_t, kWords> words{};
  const ssize_t size = ::pread(file.get(), words.data(), kFileBytes, 0);
  if (size != static_cast<ssize_t>(kFileBytes)) return std::nullopt;
  return Heartbeat{.reads = words[kReads], .pid = pid_or_none(words[kPid])};
}

Result<HeartbeatWriter> HeartbeatWriter::of(UniqueFd file) {
  void* const mapped =
      ::mmap(nullptr, kFileBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  if (mapped == MAP_FAILED) return error_from_errno(errno, "cannot map the heartbeat");
  return HeartbeatWriter{static_cast<std::uint64_t*>(mapped)};
}

HeartbeatWriter::HeartbeatWriter(HeartbeatWriter&& other) noexcept
    : words_(std::exchange(other.words_, nullptr)) {}

HeartbeatWriter::~HeartbeatWriter() {
  if (words_ != nullptr) ::munmap(words_, kFileBytes);
}

void HeartbeatWriter::at(int pid) {
  std::atomic_ref{words_[kPid]}.store(static_cast<std::uint64_t>(pid), std::memory_order_relaxed);
}

void HeartbeatWriter::beat() {
  std::atomic_ref{words_[kReads]}.fetch_add(1, std::memory_order_relaxed);
}

template <class Call>
auto HeartbeatView::about(int pid, Call call) -> decltype(call()) {
  heart_.at(pid);
  auto answer = call();
  heart_.beat();
  return answer;
}

template <class Call>
auto HeartbeatView::about(const KernelFile& file, Call call) -> decltype(call()) {
  return about(owner_of(file.handle()), std::move(call));
}

int HeartbeatView::owner_of(int handle) const {
  const auto found = owners_.find(handle);
  return found == owners_.end() ? 0 : found->second;
}

Result<KernelFile> HeartbeatView::opened(int pid, Result<KernelFile> file) {
  if (file) owners_[file->handle()] = pid;
  return file;
}

Result<KernelFile> HeartbeatView::open(KernelRoot root, const std::string& path) {
  const int pid = root == KernelRoot::proc ? pid_of_path(path) : 0;
  return opened(pid, about(pid, [&] { return inner_.open(root, path); }));
}

Result<KernelFile> HeartbeatView::open_directory(KernelRoot root, const std::string& path) {
  const int pid = root == KernelRoot::proc ? pid_of_path(path) : 0;
  return opened(pid, about(pid, [&] { return inner_.open_directory(root, path); }));
}

Result<KernelFile> HeartbeatView::open_at(const KernelFile& directory, const std::string& path) {
  const int owner = owner_of(directory.handle());
  const int pid = owner != 0 ? owner : pid_of_path(path);
  return opened(pid, about(pid, [&] { return inner_.open_at(directory, path); }));
}

Result<KernelFile> HeartbeatView::open_directory_at(const KernelFile& directory,
                                                    const std::string& path) {
  const int owner = owner_of(directory.handle());
  const int pid = owner != 0 ? owner : pid_of_path(path);
  return opened(pid, about(pid, [&] { return inner_.open_directory_at(directory, path); }));
}

Result<std::size_t> HeartbeatView::read(const KernelFile& file, std::span<std::byte> buffer) {
  return about(file, [&] { return inner_.read(file, buffer); });
}

Result<std::size_t> HeartbeatView::pread(const KernelFile& file, std::span<std::byte> buffer,
                                         std::uint64_t offset) {
  return about(file, [&] { return inner_.pread(file, buffer, offset); });
}

Result<Ok> HeartbeatView::rewind(const KernelFile& file) {
  return about(file, [&] { return inner_.rewind(file); });
}

Result<PagemapScanAnswer> HeartbeatView::pagemap_scan(const KernelFile& pagemap,
                                                      std::uint64_t start, std::uint64_t end,
                                                      std::uint64_t category_anyof,
                                                      std::uint64_t return_mask,
                                                      std::span<PageRegion> regions) {
  return about(pagemap, [&] {
    return inner_.pagemap_scan(pagemap, start, end, category_anyof, return_mask, regions);
  });
}

Result<std::optional<VmaGeometry>> HeartbeatView::procmap_query(const KernelFile& maps,
                                                                std::uint64_t address) {
  return about(maps, [&] { return inner_.procmap_query(maps, address); });
}

Result<std::vector<std::string>> HeartbeatView::list(const KernelFile& directory) {
  return about(directory, [&] { return inner_.list(directory); });
}

Result<std::string> HeartbeatView::read_link(const KernelFile& directory, const std::string& path) {
  return about(directory, [&] { return inner_.read_link(directory, path); });
}

Result<FileIdentity> HeartbeatView::identify(const KernelFile& directory, const std::string& path) {
  return about(directory, [&] { return inner_.identify(directory, path); });
}

Result<std::uint32_t> HeartbeatView::owner(const KernelFile& directory) {
  return about(directory, [&] { return inner_.owner(directory); });
}

bool HeartbeatView::process_exists(int pid) {
  return about(pid, [&] { return inner_.process_exists(pid); });
}

Result<bool> HeartbeatView::same_mm(int pid, int other_pid) {
  return about(pid, [&] { return inner_.same_mm(pid, other_pid); });
}

Nanoseconds HeartbeatView::monotonic_now() { return inner_.monotonic_now(); }

Nanoseconds HeartbeatView::wall_now() { return inner_.wall_now(); }

void HeartbeatView::sleep_for(Nanoseconds duration) {
  while (duration > Nanoseconds::zero()) {
    const Nanoseconds nap = std::min(duration, kLongestNap);
    inner_.sleep_for(nap);
    heart_.beat();
    duration -= nap;
  }
}

std::uint64_t HeartbeatView::entropy() { return inner_.entropy(); }

// Nothing is opened in its own name.
void HeartbeatView::close(int /*handle*/) {}

}  // namespace smaps_audit::service
