// SPDX-License-Identifier: Apache-2.0
#include "tests/support/fake_kernel_view.h"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace smaps_audit {
namespace {

std::string root_path(KernelRoot root, const std::string& path) {
  return (root == KernelRoot::proc ? "/proc/" : "/sys/") + path;
}

std::string below(const KernelFile& directory, const std::string& path) {
  return directory.path() + "/" + path;
}

bool is_below(const std::string& path, const std::string& directory) {
  return path.starts_with(directory) &&
         (path.size() == directory.size() || path[directory.size()] == '/');
}

std::size_t copy_text(std::string_view text, std::span<std::byte> buffer) {
  const std::size_t size = std::min(text.size(), buffer.size());
  const auto bytes = std::as_bytes(std::span{text.substr(0, size)});
  std::copy(bytes.begin(), bytes.end(), buffer.begin());
  return size;
}

}  // namespace

void FakeKernelView::set_file(const std::string& path, std::string content) {
  File& file = files_[path];
  file.chunks = {std::move(content)};
  file.seq_file = false;
}

void FakeKernelView::set_chunks(const std::string& path, std::vector<std::string> chunks) {
  File& file = files_[path];
  file.chunks = std::move(chunks);
  file.seq_file = true;
}

void FakeKernelView::set_words(const std::string& path,
                               std::map<std::uint64_t, std::uint64_t> words, std::uint64_t pages) {
  File& file = files_[path];
  file.is_pagemap = true;
  file.words = std::move(words);
  file.pages = pages;
}

void FakeKernelView::set_scan(const std::string& path, std::vector<PageRegion> regions) {
  files_[path].regions = std::move(regions);
}

void FakeKernelView::set_vmas(const std::string& path, std::vector<VmaGeometry> vmas) {
  files_[path].vmas = std::move(vmas);
}

void FakeKernelView::set_directory(const std::string& path, std::vector<std::string> names) {
  directories_[path] = std::move(names);
}

void FakeKernelView::set_link(const std::string& path, std::string target) {
  links_[path] = std::move(target);
}

void FakeKernelView::set_identity(const std::string& path, FileIdentity identity) {
  identities_[path] = identity;
}

void FakeKernelView::set_owner(const std::string& path, std::uint32_t uid) { owners_[path] = uid; }

void FakeKernelView::set_errno(const std::string& path, int errno_value) {
  errnos_[path] = errno_value;
}

void FakeKernelView::remove(const std::string& path) {
  const auto gone = [&](const auto& entry) { return is_below(entry.first, path); };
  std::erase_if(files_, gone);
  std::erase_if(directories_, gone);
  std::erase_if(links_, gone);
  std::erase_if(identities_, gone);
  std::erase_if(owners_, gone);
}

void FakeKernelView::set_process(int pid, bool exists) {
  if (exists) {
    processes_.insert(pid);
  } else {
    processes_.erase(pid);
  }
}

void FakeKernelView::set_same_mm(int pid, int other_pid, bool same) {
  same_mm_[{pid, other_pid}] = same;
  same_mm_[{other_pid, pid}] = same;
}

void FakeKernelView::set_time(Nanoseconds monotonic, Nanoseconds wall) {
  monotonic_ = monotonic;
  wall_ = wall;
}

Result<Ok> FakeKernelView::begin(std::string_view operation, const std::string& path) {
  if (hook_) hook_(operation, path);
  calls_.push_back(std::string{operation} + " " + path);
  monotonic_ += call_time_;
  wall_ += call_time_;
  const auto found = errnos_.find(path);
  if (found == errnos_.end() || found->second == 0) return Ok{};
  return error_from_errno(found->second, "cannot " + std::string{operation}, path);
}

bool FakeKernelView::is_directory(const std::string& path) const {
  if (directories_.contains(path) || owners_.contains(path)) return true;
  const auto inside = [&](const auto& map) {
    const auto first = map.lower_bound(path + "/");
    return first != map.end() && is_below(first->first, path);
  };
  return inside(files_) || inside(directories_) || inside(links_) || inside(identities_);
}

Result<KernelFile> FakeKernelView::open_path(std::string_view operation, const std::string& path,
                                             bool directory) {
  if (Result<Ok> begun = begin(operation, path); !begun) return begun.error();
  if (directory ? !is_directory(path) : !files_.contains(path)) {
    return error_from_errno(ENOENT, "cannot open", path);
  }
  const int handle = ++last_handle_;
  handles_[handle] = Handle{.path = path};
  return KernelFile{this, handle, path};
}

Result<FakeKernelView::File*> FakeKernelView::file_of(std::string_view operation,
                                                      const KernelFile& file) {
  if (!handles_.contains(file.handle())) {
    return error_from_errno(EBADF, "cannot " + std::string{operation}, file.path());
  }
  if (Result<Ok> begun = begin(operation, file.path()); !begun) return begun.error();
  const auto found = files_.find(file.path());
  if (found == files_.end()) {
    return error_from_errno(ESRCH, "cannot " + std::string{operation}, file.path());
  }
  return &found->second;
}

void FakeKernelView::close(int handle) { handles_.erase(handle); }

Result<KernelFile> FakeKernelView::open(KernelRoot root, const std::string& path) {
  return open_path("open", root_path(root, path), false);
}

Result<KernelFile> FakeKernelView::open_directory(KernelRoot root, const std::string& path) {
  return open_path("open_directory", root_path(root, path), true);
}

Result<KernelFile> FakeKernelView::open_at(const KernelFile& directory, const std::string& path) {
  return open_path("open_at", below(directory, path), false);
}

Result<KernelFile> FakeKernelView::open_directory_at(const KernelFile& directory,
                                                     const std::string& path) {
  return open_path("open_directory_at", below(directory, path), true);
}

Result<std::size_t> FakeKernelView::read(const KernelFile& file, std::span<std::byte> buffer) {
  const Result<File*> found = file_of("read", file);
  if (!found) return found.error();
  Handle& handle = handles_[file.handle()];
  const std::vector<std::string>& chunks = (*found)->chunks;
  if (handle.chunk >= chunks.size()) return std::size_t{0};
  const std::size_t size =
      copy_text(std::string_view{chunks[handle.chunk]}.substr(handle.offset), buffer);
  handle.offset += size;
  if ((*found)->seq_file || handle.offset == chunks[handle.chunk].size()) {
    handle.offset = 0;
    ++handle.chunk;
  }
  return size;
}

Result<std::size_t> FakeKernelView::pread(const KernelFile& file, std::span<std::byte> buffer,
                                          std::uint64_t offset) {
  const Result<File*> found = file_of("pread", file);
  if (!found) return found.error();
  const File& content = **found;
  if (!content.is_pagemap) {
    const std::string_view text =
        content.chunks.empty() ? std::string_view{} : std::string_view{content.chunks.front()};
    return copy_text(text.substr(std::min<std::uint64_t>(offset, text.size())), buffer);
  }
  if (offset % 8 != 0 || buffer.size() % 8 != 0) {
    return error_from_errno(EINVAL, "cannot read", file.path());
  }
  std::size_t size = 0;
  for (std::uint64_t page = offset / 8; size < buffer.size() && page < content.pages; ++page) {
    const auto word = content.words.find(page);
    const std::uint64_t value = word == content.words.end() ? 0 : word->second;
    const auto bytes = std::as_bytes(std::span{&value, 1});
    std::copy(bytes.begin(), bytes.end(), buffer.begin() + static_cast<std::ptrdiff_t>(size));
    size += 8;
  }
  return size;
}

Result<Ok> FakeKernelView::rewind(const KernelFile& file) {
  const Result<File*> found = file_of("rewind", file);
  if (!found) return found.error();
  Handle& handle = handles_[file.handle()];
  handle.chunk = handle.offset = 0;
  return Ok{};
}

Result<PagemapScanAnswer> FakeKernelView::pagemap_scan(const KernelFile& pagemap,
                                                       std::uint64_t start, std::uint64_t end,
                                                       std::uint64_t category_anyof,
                                                       std::uint64_t return_mask,
                                                       std::span<PageRegion> regions) {
  const Result<File*> found = file_of("pagemap_scan", pagemap);
  if (!found) return found.error();
  if (!(*found)->regions) {
    return error_from_errno(ENOTTY, "ioctl PAGEMAP_SCAN failed", pagemap.path());
  }
  std::size_t filled = 0;
  for (const PageRegion& region : *(*found)->regions) {
    const PageRegion clipped{.start = std::max(region.start, start),
                             .end = std::min(region.end, end),
                             .categories = region.categories & return_mask};
    if (clipped.start >= clipped.end || (region.categories & category_anyof) == 0) continue;
    PageRegion* const last = filled == 0 ? nullptr : &regions[filled - 1];
    if (last != nullptr && last->end == clipped.start && last->categories == clipped.categories) {
      last->end = clipped.end;
    } else if (filled == regions.size()) {
      return PagemapScanAnswer{.regions = filled, .walk_end = clipped.start};
    } else {
      regions[filled++] = clipped;
    }
  }
  return PagemapScanAnswer{.regions = filled, .walk_end = end};
}

Result<std::optional<VmaGeometry>> FakeKernelView::procmap_query(const KernelFile& maps,
                                                                 std::uint64_t address) {
  const Result<File*> found = file_of("procmap_query", maps);
  if (!found) return found.error();
  if (!(*found)->vmas) {
    return error_from_errno(ENOTTY, "ioctl PROCMAP_QUERY failed", maps.path());
  }
  for (const VmaGeometry& vma : *(*found)->vmas) {
    if (vma.end > address) return std::optional{vma};
  }
  return std::optional<VmaGeometry>{};
}

Result<std::vector<std::string>> FakeKernelView::list(const KernelFile& directory) {
  if (Result<Ok> begun = begin("list", directory.path()); !begun) return begun.error();
  const auto found = directories_.find(directory.path());
  if (found == directories_.end()) {
    return error_from_errno(ENOENT, "cannot list", directory.path());
  }
  return found->second;
}

Result<std::string> FakeKernelView::read_link(const KernelFile& directory,
                                              const std::string& path) {
  const std::string full = below(directory, path);
  if (Result<Ok> begun = begin("read_link", full); !begun) return begun.error();
  const auto found = links_.find(full);
  if (found == links_.end()) return error_from_errno(ENOENT, "cannot read the link", full);
  return found->second;
}

Result<FileIdentity> FakeKernelView::identify(const KernelFile& directory,
                                              const std::string& path) {
  const std::string full = below(directory, path);
  if (Result<Ok> begun = begin("identify", full); !begun) return begun.error();
  const auto found = identities_.find(full);
  if (found == identities_.end()) return error_from_errno(ENOENT, "cannot stat", full);
  return found->second;
}

Result<std::uint32_t> FakeKernelView::owner(const KernelFile& directory) {
  if (Result<Ok> begun = begin("owner", directory.path()); !begun) return begun.error();
  const auto found = owners_.find(directory.path());
  return found == owners_.end() ? 0 : found->second;
}

bool FakeKernelView::process_exists(int pid) {
  calls_.push_back("process_exists " + std::to_string(pid));
  return processes_.contains(pid);
}

Result<bool> FakeKernelView::same_mm(int pid, int other_pid) {
  calls_.push_back("same_mm " + std::to_string(pid) + " " + std::to_string(other_pid));
  const auto found = same_mm_.find({pid, other_pid});
  if (found == same_mm_.end()) return error_from_errno(ESRCH, "cannot compare");
  return found->second;
}

Nanoseconds FakeKernelView::monotonic_now() { return monotonic_; }

Nanoseconds FakeKernelView::wall_now() { return wall_; }

void FakeKernelView::sleep_for(Nanoseconds duration) {
  if (duration <= Nanoseconds::zero()) return;
  slept_ += duration;
  monotonic_ += duration;
  wall_ += duration;
}

std::uint64_t FakeKernelView::entropy() {
  // splitmix64: a new number each time, the same ones in every run.
  entropy_ += 0x9e3779b97f4a7c15;
  std::uint64_t bits = entropy_;
  bits = (bits ^ bits >> 30) * 0xbf58476d1ce4e5b9;
  bits = (bits ^ bits >> 27) * 0x94d049bb133111eb;
  return bits ^ bits >> 31;
}

}  // namespace smaps_audit
