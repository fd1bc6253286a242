// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/bare_kernel_view.h"

#include <fcntl.h>

#include <algorithm>
#include <utility>

namespace smaps_audit::bench {

using Kind = BareCall::Kind;

std::uint64_t BareCalls::count(Kind kind) const {
  return static_cast<std::uint64_t>(std::count_if(
      calls.begin(), calls.end(), [kind](const BareCall& call) { return call.kind == kind; }));
}

void BareKernelView::note(BareCall call) {
  calls_.calls.push_back(call);
  ++outcome_.calls;
}

std::uint32_t BareKernelView::path_index(const std::string& path) {
  const auto [at, is_new] =
      path_numbers_.try_emplace(path, static_cast<std::uint32_t>(calls_.paths.size()));
  if (is_new) calls_.paths.push_back(path);
  return at->second;
}

template <class Answer>
Answer BareKernelView::noted(BareCall call, Answer answer) {
  note(call);
  if (!answer.ok()) ++outcome_.failed;
  return answer;
}

std::uint32_t BareKernelView::number_of(const KernelFile& file) {
  return static_cast<std::uint32_t>(file.handle());
}

const KernelFile& BareKernelView::inner_file(const KernelFile& file) const {
  return files_.at(file.handle());
}

Result<KernelFile> BareKernelView::note_open(BareCall call, const std::string& path,
                                             Result<KernelFile> opened) {
  const auto handle = static_cast<int>(calls_.files);
  call.file = calls_.files++;
  call.path = path_index(path);
  note(call);
  if (!opened) {
    ++outcome_.failed;
    return opened.error();
  }
  const std::string name = opened->path();
  files_.emplace(handle, *std::move(opened));
  return KernelFile{this, handle, name};
}

Result<KernelFile> BareKernelView::open(KernelRoot root, const std::string& path) {
  const std::uint32_t below = root == KernelRoot::proc ? kProcRoot : kSysRoot;
  return note_open({.directory = below}, path, inner_.open(root, path));
}

Result<KernelFile> BareKernelView::open_directory(KernelRoot root, const std::string& path) {
  const std::uint32_t below = root == KernelRoot::proc ? kProcRoot : kSysRoot;
  return note_open({.flags = O_DIRECTORY, .directory = below}, path,
                   inner_.open_directory(root, path));
}

Result<KernelFile> BareKernelView::open_at(const KernelFile& directory, const std::string& path) {
  return note_open({.directory = number_of(directory)}, path,
                   inner_.open_at(inner_file(directory), path));
}

Result<KernelFile> BareKernelView::open_directory_at(const KernelFile& directory,
                                                     const std::string& path) {
  return note_open({.flags = O_DIRECTORY, .directory = number_of(directory)}, path,
                   inner_.open_directory_at(inner_file(directory), path));
}

void BareKernelView::close(int handle) {
  files_.erase(handle);
  note({.kind = Kind::close, .file = static_cast<std::uint32_t>(handle)});
}

Result<std::size_t> BareKernelView::read(const KernelFile& file, std::span<std::byte> buffer) {
  auto got = noted({.kind = Kind::read, .file = number_of(file), .size = buffer.size()},
                   inner_.read(inner_file(file), buffer));
  if (got) outcome_.read_bytes += *got;
  return got;
}

Result<std::size_t> BareKernelView::pread(const KernelFile& file, std::span<std::byte> buffer,
                                          std::uint64_t offset) {
  return noted({.kind = Kind::pread, .file = number_of(file), .a = offset, .size = buffer.size()},
               inner_.pread(inner_file(file), buffer, offset));
}

Result<Ok> BareKernelView::rewind(const KernelFile& file) {
  return noted({.kind = Kind::rewind, .file = number_of(file)}, inner_.rewind(inner_file(file)));
}

Result<PagemapScanAnswer> BareKernelView::pagemap_scan(const KernelFile& pagemap,
                                                       std::uint64_t start, std::uint64_t end,
                                                       std::uint64_t category_anyof,
                                                       std::uint64_t return_mask,
                                                       std::span<PageRegion> regions) {
  auto answer = noted(
      {.kind = Kind::pagemap_scan,
       .file = number_of(pagemap),
       .a = start,
       .b = end,
       .size = regions.size(),
       .category_anyof = category_anyof,
       .return_mask = return_mask},
      inner_.pagemap_scan(inner_file(pagemap), start, end, category_anyof, return_mask, regions));
  if (answer) outcome_.regions += answer->regions;
  return answer;
}

Result<std::optional<VmaGeometry>> BareKernelView::procmap_query(const KernelFile& maps,
                                                                 std::uint64_t address) {
  auto answer = noted({.kind = Kind::procmap_query, .file = number_of(maps), .a = address},
                      inner_.procmap_query(inner_file(maps), address));
  if (answer && !answer->has_value()) ++outcome_.failed;  // ENOENT, as the bare call sees it
  return answer;
}

Result<std::vector<std::string>> BareKernelView::list(const KernelFile& directory) {
  return noted({.kind = Kind::list, .file = number_of(directory)},
               inner_.list(inner_file(directory)));
}

Result<std::string> BareKernelView::read_link(const KernelFile& directory,
                                              const std::string& path) {
  return noted({.kind = Kind::read_link, .file = number_of(directory), .path = path_index(path)},
               inner_.read_link(inner_file(directory), path));
}

Result<FileIdentity> BareKernelView::identify(const KernelFile& directory,
                                              const std::string& path) {
  return noted({.kind = Kind::identify, .file = number_of(directory), .path = path_index(path)},
               inner_.identify(inner_file(directory), path));
}

Result<std::uint32_t> BareKernelView::owner(const KernelFile& directory) {
  return noted({.kind = Kind::owner, .file = number_of(directory)},
               inner_.owner(inner_file(directory)));
}

bool BareKernelView::process_exists(int pid) {
  note({.kind = Kind::process_exists, .a = static_cast<std::uint64_t>(pid)});
  return inner_.process_exists(pid);
}

Result<bool> BareKernelView::same_mm(int pid, int other_pid) {
  return noted({.kind = Kind::same_mm,
                .a = static_cast<std::uint64_t>(pid),
                .b = static_cast<std::uint64_t>(other_pid)},
               inner_.same_mm(pid, other_pid));
}

Nanoseconds BareKernelView::monotonic_now() {
  note({.kind = Kind::monotonic_now});
  return inner_.monotonic_now();
}

Nanoseconds BareKernelView::wall_now() {
  note({.kind = Kind::wall_now});
  return inner_.wall_now();
}

void BareKernelView::sleep_for(Nanoseconds duration) {
  note({.kind = Kind::sleep_for, .a = static_cast<std::uint64_t>(duration.count())});
  inner_.sleep_for(duration);
}

std::uint64_t BareKernelView::entropy() {
  note({.kind = Kind::entropy});
  return inner_.entropy();
}

}  // namespace smaps_audit::bench
