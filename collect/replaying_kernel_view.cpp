// SPDX-License-Identifier: Apache-2.0
#include "collect/replaying_kernel_view.h"

#include <algorithm>
#include <string>
#include <utility>

namespace smaps_audit {
namespace {

std::uint64_t handle_of(const KernelFile& file) {
  return static_cast<std::uint64_t>(file.handle());
}

constexpr std::string_view kMappingCounts = "kpagecount";

Nanoseconds to_time(std::uint64_t number) { return Nanoseconds{static_cast<std::int64_t>(number)}; }

}  // namespace

Error ReplayingKernelView::diverged(const std::string& what) {
  const CapturePlace place = reader_.place();
  divergence_ = Error{.code = ErrorCode::diverged,
                      .what = "event " + std::to_string(place.event) + " of the capture (byte " +
                              std::to_string(place.raw_offset) + " unpacked): " + what,
                      .file = reader_.path(),
                      .offset = place.compressed_offset};
  return *divergence_;
}

Result<std::optional<CaptureEvent>> ReplayingKernelView::next_event() {
  if (put_back_) return std::optional{*std::exchange(put_back_, std::nullopt)};
  Result<std::optional<CaptureEvent>> event = reader_.next();
  const bool opened = event && *event && counts_mappings((*event)->call) &&
                      (*event)->call.operation == KernelOperation::open && !(*event)->answer.error;
  if (opened) mapping_counts_handles_.insert((*event)->answer.number);
  return event;
}

bool ReplayingKernelView::counts_mappings(const KernelCall& call) const {
  if (call.operation == KernelOperation::open) return call.path == kMappingCounts;
  return call.operation == KernelOperation::pread && mapping_counts_handles_.contains(call.handle);
}

std::optional<KernelAnswer> ReplayingKernelView::part_of(const CaptureEvent& wider,
                                                         const KernelCall& call) {
  const bool same_file = call.operation == KernelOperation::pread &&
                         wider.call.operation == KernelOperation::pread &&
                         wider.call.handle == call.handle;
  if (!same_file || wider.answer.error || call.offset < wider.call.offset) return std::nullopt;
  const std::uint64_t skipped = call.offset - wider.call.offset;
  const std::vector<std::byte>& data = wider.answer.data;
  if (skipped + call.size > data.size()) return std::nullopt;
  const auto first = data.begin() + static_cast<std::ptrdiff_t>(skipped);
  KernelAnswer part;
  part.data.assign(first, first + static_cast<std::ptrdiff_t>(call.size));
  return part;
}

Result<KernelAnswer> ReplayingKernelView::answer(const KernelCall& call) {
  if (divergence_) return *divergence_;
  Result<std::optional<CaptureEvent>> event = next_event();
  while (event && *event && (*event)->call != call && counts_mappings((*event)->call) &&
         !counts_mappings(call)) {
    event = next_event();
  }
  if (!event) {
    divergence_ = event.error();
    return *divergence_;
  }
  if (counts_mappings(call) && (!*event || (*event)->call != call)) {
    put_back_ = std::move(*event);
    return Error{.code = ErrorCode::unsupported,
                 .what = "the capture does not hold " + in_words(call),
                 .file = reader_.path()};
  }
  if (!*event) {
    return diverged("the replay asks for " + in_words(call) + ", but the capture ends here");
  }
  if ((*event)->call != call) {
    if (auto part = part_of(**event, call)) {
      wider_pread_ = std::move(*event);
      return *std::move(part);
    }
    if (auto part = wider_pread_ ? part_of(*wider_pread_, call) : std::nullopt) {
      put_back_ = std::move(*event);
      return *std::move(part);
    }
    return diverged("the replay asks for " + in_words(call) + ", but the capture holds " +
                    in_words((*event)->call));
  }
  if ((*event)->answer.error) return *(*event)->answer.error;
  return std::move((*event)->answer);
}

std::uint64_t ReplayingKernelView::number(const KernelCall& call) {
  const Result<KernelAnswer> replayed = answer(call);
  if (replayed) return replayed->number;
  // These calls cannot fail: a recorded error is a damaged or edited capture.
  if (!divergence_) diverged("the capture holds an error of " + in_words(call));
  return 0;
}

void ReplayingKernelView::close(int) {}

Result<KernelFile> ReplayingKernelView::replay_open(const KernelCall& call) {
  Result<KernelAnswer> replayed = answer(call);
  if (!replayed) return replayed.error();
  return KernelFile{this, static_cast<int>(replayed->number), std::move(replayed->text)};
}

Result<KernelFile> ReplayingKernelView::open(KernelRoot root, const std::string& path) {
  return replay_open({.operation = KernelOperation::open, .root = root, .path = path});
}

Result<KernelFile> ReplayingKernelView::open_directory(KernelRoot root, const std::string& path) {
  return replay_open({.operation = KernelOperation::open_directory, .root = root, .path = path});
}

Result<KernelFile> ReplayingKernelView::open_at(const KernelFile& directory,
                                                const std::string& path) {
  return replay_open(
      {.operation = KernelOperation::open_at, .handle = handle_of(directory), .path = path});
}

Result<KernelFile> ReplayingKernelView::open_directory_at(const KernelFile& directory,
                                                          const std::string& path) {
  return replay_open({.operation = KernelOperation::open_directory_at,
                      .handle = handle_of(directory),
                      .path = path});
}

Result<std::size_t> ReplayingKernelView::replay_read(const KernelCall& call,
                                                     std::span<std::byte> buffer) {
  const Result<KernelAnswer> replayed = answer(call);
  if (!replayed) return replayed.error();
  // The decoder holds the data to the size asked, which the call's equality makes this buffer's.
  std::copy(replayed->data.begin(), replayed->data.end(), buffer.begin());
  return replayed->data.size();
}

Result<std::size_t> ReplayingKernelView::read(const KernelFile& file, std::span<std::byte> buffer) {
  return replay_read(
      {.operation = KernelOperation::read, .handle = handle_of(file), .size = buffer.size()},
      buffer);
}

Result<std::size_t> ReplayingKernelView::pread(const KernelFile& file, std::span<std::byte> buffer,
                                               std::uint64_t offset) {
  return replay_read({.operation = KernelOperation::pread,
                      .handle = handle_of(file),
                      .offset = offset,
                      .size = buffer.size()},
                     buffer);
}

Result<Ok> ReplayingKernelView::rewind(const KernelFile& file) {
  const Result<KernelAnswer> replayed =
      answer({.operation = KernelOperation::rewind, .handle = handle_of(file)});
  if (!replayed) return replayed.error();
  return Ok{};
}

Result<PagemapScanAnswer> ReplayingKernelView::pagemap_scan(const KernelFile& pagemap,
                                                            std::uint64_t start, std::uint64_t end,
                                                            std::uint64_t category_anyof,
                                                            std::uint64_t return_mask,
                                                            std::span<PageRegion> regions) {
  const Result<KernelAnswer> replayed = answer({.operation = KernelOperation::pagemap_scan,
                                                .handle = handle_of(pagemap),
                                                .size = regions.size(),
                                                .start = start,
                                                .end = end,
                                                .category_anyof = category_anyof,
                                                .return_mask = return_mask});
  if (!replayed) return replayed.error();
  std::copy(replayed->regions.begin(), replayed->regions.end(), regions.begin());
  return PagemapScanAnswer{.regions = replayed->regions.size(), .walk_end = replayed->number};
}

Result<std::optional<VmaGeometry>> ReplayingKernelView::procmap_query(const KernelFile& maps,
                                                                      std::uint64_t address) {
  const Result<KernelAnswer> replayed = answer(
      {.operation = KernelOperation::procmap_query, .handle = handle_of(maps), .address = address});
  if (!replayed) return replayed.error();
  return replayed->vma;
}

Result<std::vector<std::string>> ReplayingKernelView::list(const KernelFile& directory) {
  Result<KernelAnswer> replayed =
      answer({.operation = KernelOperation::list, .handle = handle_of(directory)});
  if (!replayed) return replayed.error();
  return std::move(replayed->names);
}

Result<std::string> ReplayingKernelView::read_link(const KernelFile& directory,
                                                   const std::string& path) {
  Result<KernelAnswer> replayed = answer(
      {.operation = KernelOperation::read_link, .handle = handle_of(directory), .path = path});
  if (!replayed) return replayed.error();
  return std::move(replayed->text);
}

Result<FileIdentity> ReplayingKernelView::identify(const KernelFile& directory,
                                                   const std::string& path) {
  const Result<KernelAnswer> replayed = answer(
      {.operation = KernelOperation::identify, .handle = handle_of(directory), .path = path});
  if (!replayed) return replayed.error();
  return replayed->identity;
}

Result<std::uint32_t> ReplayingKernelView::owner(const KernelFile& directory) {
  const Result<KernelAnswer> replayed =
      answer({.operation = KernelOperation::owner, .handle = handle_of(directory)});
  if (!replayed) return replayed.error();
  return static_cast<std::uint32_t>(replayed->number);
}

bool ReplayingKernelView::process_exists(int pid) {
  return number({.operation = KernelOperation::process_exists, .pid = pid}) != 0;
}

Result<bool> ReplayingKernelView::same_mm(int pid, int other_pid) {
  const Result<KernelAnswer> replayed =
      answer({.operation = KernelOperation::same_mm, .pid = pid, .other_pid = other_pid});
  if (!replayed) return replayed.error();
  return replayed->number != 0;
}

Nanoseconds ReplayingKernelView::monotonic_now() {
  const Nanoseconds now = to_time(number({.operation = KernelOperation::monotonic_now}));
  if (!divergence_) last_monotonic_ = now;
  return last_monotonic_;
}

Nanoseconds ReplayingKernelView::wall_now() {
  const Nanoseconds now = to_time(number({.operation = KernelOperation::wall_now}));
  if (!divergence_) last_wall_ = now;
  return last_wall_;
}

void ReplayingKernelView::sleep_for(Nanoseconds duration) {
  number({.operation = KernelOperation::sleep_for, .duration_ns = duration.count()});
}

std::uint64_t ReplayingKernelView::entropy() {
  return number({.operation = KernelOperation::entropy});
}

}  // namespace smaps_audit
