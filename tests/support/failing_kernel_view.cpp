// SPDX-License-Identifier: Apache-2.0
#include "tests/support/failing_kernel_view.h"

#include <utility>

namespace smaps_audit {
namespace {

std::string root_path(KernelRoot root, const std::string& path) {
  return (root == KernelRoot::proc ? "/proc/" : "/sys/") + path;
}

std::string below(const KernelFile& directory, const std::string& path) {
  return directory.path() + "/" + path;
}

}  // namespace

std::optional<Error> FailingKernelView::next_call(KernelOperation operation,
                                                  const std::string& path) {
  ++calls_;
  int errno_value = 0;
  if (from_ && calls_ >= from_->first) errno_value = from_->second;
  if (const auto it = by_operation_.find(operation); it != by_operation_.end()) {
    errno_value = it->second;
  }
  if (const auto it = by_path_.find(path); it != by_path_.end()) errno_value = it->second;
  if (const auto it = by_number_.find(calls_); it != by_number_.end()) errno_value = it->second;
  if (errno_value == 0) return std::nullopt;
  ++failures_;
  return error_from_errno(errno_value, std::string{to_string(operation)} + " was made to fail",
                          path);
}

template <class Call>
auto FailingKernelView::pass_on(KernelOperation operation, const std::string& path, Call call)
    -> decltype(call()) {
  if (std::optional<Error> error = next_call(operation, path)) return *std::move(error);
  return call();
}

template <class Open>
Result<KernelFile> FailingKernelView::open_file(KernelOperation operation, const std::string& path,
                                                Open open) {
  Result<KernelFile> opened = pass_on(operation, path, open);
  if (!opened) return opened;
  std::string full_path = opened->path();
  const int handle = ++last_handle_;
  files_.emplace(handle, *std::move(opened));
  return KernelFile{this, handle, std::move(full_path)};
}

const KernelFile& FailingKernelView::inner_file(const KernelFile& file) const {
  static const KernelFile kNone;
  const auto found = files_.find(file.handle());
  return found == files_.end() ? kNone : found->second;
}

void FailingKernelView::close(int handle) { files_.erase(handle); }

Result<KernelFile> FailingKernelView::open(KernelRoot root, const std::string& path) {
  return open_file(KernelOperation::open, root_path(root, path),
                   [&] { return inner_.open(root, path); });
}

Result<KernelFile> FailingKernelView::open_directory(KernelRoot root, const std::string& path) {
  return open_file(KernelOperation::open_directory, root_path(root, path),
                   [&] { return inner_.open_directory(root, path); });
}

Result<KernelFile> FailingKernelView::open_at(const KernelFile& directory,
                                              const std::string& path) {
  return open_file(KernelOperation::open_at, below(directory, path),
                   [&] { return inner_.open_at(inner_file(directory), path); });
}

Result<KernelFile> FailingKernelView::open_directory_at(const KernelFile& directory,
                                                        const std::string& path) {
  return open_file(KernelOperation::open_directory_at, below(directory, path),
                   [&] { return inner_.open_directory_at(inner_file(directory), path); });
}

Result<std::size_t> FailingKernelView::read(const KernelFile& file, std::span<std::byte> buffer) {
  return pass_on(KernelOperation::read, file.path(),
                 [&] { return inner_.read(inner_file(file), buffer); });
}

Result<std::size_t> FailingKernelView::pread(const KernelFile& file, std::span<std::byte> buffer,
                                             std::uint64_t offset) {
  return pass_on(KernelOperation::pread, file.path(),
                 [&] { return inner_.pread(inner_file(file), buffer, offset); });
}

Result<Ok> FailingKernelView::rewind(const KernelFile& file) {
  return pass_on(KernelOperation::rewind, file.path(),
                 [&] { return inner_.rewind(inner_file(file)); });
}

Result<PagemapScanAnswer> FailingKernelView::pagemap_scan(const KernelFile& pagemap,
                                                          std::uint64_t start, std::uint64_t end,
                                                          std::uint64_t category_anyof,
                                                          std::uint64_t return_mask,
                                                          std::span<PageRegion> regions) {
  return pass_on(KernelOperation::pagemap_scan, pagemap.path(), [&] {
    return inner_.pagemap_scan(inner_file(pagemap), start, end, category_anyof, return_mask,
                               regions);
  });
}

Result<std::optional<VmaGeometry>> FailingKernelView::procmap_query(const KernelFile& maps,
                                                                    std::uint64_t address) {
  return pass_on(KernelOperation::procmap_query, maps.path(),
                 [&] { return inner_.procmap_query(inner_file(maps), address); });
}

Result<std::vector<std::string>> FailingKernelView::list(const KernelFile& directory) {
  return pass_on(KernelOperation::list, directory.path(),
                 [&] { return inner_.list(inner_file(directory)); });
}

Result<std::string> FailingKernelView::read_link(const KernelFile& directory,
                                                 const std::string& path) {
  return pass_on(KernelOperation::read_link, below(directory, path),
                 [&] { return inner_.read_link(inner_file(directory), path); });
}

Result<FileIdentity> FailingKernelView::identify(const KernelFile& directory,
                                                 const std::string& path) {
  return pass_on(KernelOperation::identify, below(directory, path),
                 [&] { return inner_.identify(inner_file(directory), path); });
}

Result<std::uint32_t> FailingKernelView::owner(const KernelFile& directory) {
  return pass_on(KernelOperation::owner, directory.path(),
                 [&] { return inner_.owner(inner_file(directory)); });
}

bool FailingKernelView::process_exists(int pid) { return inner_.process_exists(pid); }

Result<bool> FailingKernelView::same_mm(int pid, int other_pid) {
  return pass_on(KernelOperation::same_mm, "", [&] { return inner_.same_mm(pid, other_pid); });
}

Nanoseconds FailingKernelView::monotonic_now() { return inner_.monotonic_now(); }

Nanoseconds FailingKernelView::wall_now() { return inner_.wall_now(); }

void FailingKernelView::sleep_for(Nanoseconds duration) { inner_.sleep_for(duration); }

std::uint64_t FailingKernelView::entropy() { return inner_.entropy(); }

}  // namespace smaps_audit
