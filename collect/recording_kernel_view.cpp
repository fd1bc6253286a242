// SPDX-License-Identifier: Apache-2.0
#include "collect/recording_kernel_view.h"

#include <chrono>
#include <string_view>
#include <utility>

namespace smaps_audit {
namespace {

/// The recorder's own clock: asking the inner view would be a call that the audit never made.
Nanoseconds clock_now() { return std::chrono::steady_clock::now().time_since_epoch(); }

template <class T>
const Error* error_of(const Result<T>& result) {
  return result ? nullptr : &result.error();
}

DataEncoding encoding_of(const KernelFile& file) {
  return std::string_view{file.path()}.ends_with("/pagemap") ? DataEncoding::words
                                                             : DataEncoding::raw;
}

std::uint64_t handle_of(const KernelFile& file) {
  return static_cast<std::uint64_t>(file.handle());
}

}  // namespace

RecordingKernelView::RecordingKernelView(KernelView& inner, CaptureWriter& writer)
    : inner_(inner), writer_(writer) {}

/// For calls that return a Result: `keep(value, answer)` is only called with a value.
template <class Act, class Keep>
auto RecordingKernelView::recorded(KernelCall call, DataEncoding data, Act act, Keep keep) {
  CaptureEvent event{.call = std::move(call)};
  const Nanoseconds started = clock_now();
  auto result = act();
  event.started_ns = started.count();
  event.took_ns = static_cast<std::uint64_t>((clock_now() - started).count());
  if (const Error* const error = error_of(result)) {
    event.answer.error = *error;
  } else {
    keep(*result, event.answer);
  }
  writer_.append(event, data);
  return result;
}

template <class Act, class Keep>
auto RecordingKernelView::recorded(KernelCall call, Act act, Keep keep) {
  return recorded(std::move(call), DataEncoding::raw, std::move(act), std::move(keep));
}

/// For calls that cannot fail: `act` returns the value, `number_of` what is stored of it.
template <class Act, class NumberOf>
auto RecordingKernelView::recorded_value(KernelCall call, Act act, NumberOf number_of) {
  const auto keep = [&](const auto& value, KernelAnswer& answer) {
    answer.number = number_of(value);
  };
  return *recorded(
      std::move(call), [&] { return Result{act()}; }, keep);
}

const KernelFile& RecordingKernelView::inner_file(const KernelFile& file) const {
  static const KernelFile kNone;
  const auto found = files_.find(file.handle());
  return found == files_.end() ? kNone : found->second;
}

template <class Open>
Result<KernelFile> RecordingKernelView::record_open(KernelCall call, Open open) {
  int handle = -1;
  const auto keep = [&](KernelFile& file, KernelAnswer& answer) {
    handle = ++last_handle_;
    answer.number = static_cast<std::uint64_t>(handle);
    answer.text = file.path();
  };
  Result<KernelFile> opened = recorded(std::move(call), open, keep);
  if (!opened) return opened;
  std::string path = opened->path();
  files_.emplace(handle, *std::move(opened));
  return KernelFile{this, handle, std::move(path)};
}

void RecordingKernelView::close(int handle) { files_.erase(handle); }

Result<KernelFile> RecordingKernelView::open(KernelRoot root, const std::string& path) {
  return record_open({.operation = KernelOperation::open, .root = root, .path = path},
                     [&] { return inner_.open(root, path); });
}

Result<KernelFile> RecordingKernelView::open_directory(KernelRoot root, const std::string& path) {
  return record_open({.operation = KernelOperation::open_directory, .root = root, .path = path},
                     [&] { return inner_.open_directory(root, path); });
}

Result<KernelFile> RecordingKernelView::open_at(const KernelFile& directory,
                                                const std::string& path) {
  return record_open(
      {.operation = KernelOperation::open_at, .handle = handle_of(directory), .path = path},
      [&] { return inner_.open_at(inner_file(directory), path); });
}

Result<KernelFile> RecordingKernelView::open_directory_at(const KernelFile& directory,
                                                          const std::string& path) {
  return record_open({.operation = KernelOperation::open_directory_at,
                      .handle = handle_of(directory),
                      .path = path},
                     [&] { return inner_.open_directory_at(inner_file(directory), path); });
}

Result<std::size_t> RecordingKernelView::read(const KernelFile& file, std::span<std::byte> buffer) {
  return recorded(
      {.operation = KernelOperation::read, .handle = handle_of(file), .size = buffer.size()},
      encoding_of(file), [&] { return inner_.read(inner_file(file), buffer); },
      [&](std::size_t size, KernelAnswer& answer) {
        answer.data.assign(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(size));
      });
}

Result<std::size_t> RecordingKernelView::pread(const KernelFile& file, std::span<std::byte> buffer,
                                               std::uint64_t offset) {
  return recorded(
      {.operation = KernelOperation::pread,
       .handle = handle_of(file),
       .offset = offset,
       .size = buffer.size()},
      encoding_of(file), [&] { return inner_.pread(inner_file(file), buffer, offset); },
      [&](std::size_t size, KernelAnswer& answer) {
        answer.data.assign(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(size));
      });
}

Result<Ok> RecordingKernelView::rewind(const KernelFile& file) {
  return recorded(
      {.operation = KernelOperation::rewind, .handle = handle_of(file)},
      [&] { return inner_.rewind(inner_file(file)); }, [](Ok, KernelAnswer&) {});
}

Result<PagemapScanAnswer> RecordingKernelView::pagemap_scan(const KernelFile& pagemap,
                                                            std::uint64_t start, std::uint64_t end,
                                                            std::uint64_t category_anyof,
                                                            std::uint64_t return_mask,
                                                            std::span<PageRegion> regions) {
  return recorded(
      {.operation = KernelOperation::pagemap_scan,
       .handle = handle_of(pagemap),
       .size = regions.size(),
       .start = start,
       .end = end,
       .category_anyof = category_anyof,
       .return_mask = return_mask},
      [&] {
        return inner_.pagemap_scan(inner_file(pagemap), start, end, category_anyof, return_mask,
                                   regions);
      },
      [&](const PagemapScanAnswer& scanned, KernelAnswer& answer) {
        const auto filled = regions.first(scanned.regions);
        answer.number = scanned.walk_end;
        answer.regions.assign(filled.begin(), filled.end());
      });
}

Result<std::optional<VmaGeometry>> RecordingKernelView::procmap_query(const KernelFile& maps,
                                                                      std::uint64_t address) {
  return recorded(
      {.operation = KernelOperation::procmap_query, .handle = handle_of(maps), .address = address},
      [&] { return inner_.procmap_query(inner_file(maps), address); },
      [](const std::optional<VmaGeometry>& vma, KernelAnswer& answer) { answer.vma = vma; });
}

Result<std::vector<std::string>> RecordingKernelView::list(const KernelFile& directory) {
  return recorded(
      {.operation = KernelOperation::list, .handle = handle_of(directory)},
      [&] { return inner_.list(inner_file(directory)); },
      [](const std::vector<std::string>& names, KernelAnswer& answer) { answer.names = names; });
}

Result<std::string> RecordingKernelView::read_link(const KernelFile& directory,
                                                   const std::string& path) {
  return recorded(
      {.operation = KernelOperation::read_link, .handle = handle_of(directory), .path = path},
      [&] { return inner_.read_link(inner_file(directory), path); },
      [](const std::string& target, KernelAnswer& answer) { answer.text = target; });
}

Result<FileIdentity> RecordingKernelView::identify(const KernelFile& directory,
                                                   const std::string& path) {
  return recorded(
      {.operation = KernelOperation::identify, .handle = handle_of(directory), .path = path},
      [&] { return inner_.identify(inner_file(directory), path); },
      [](const FileIdentity& identity, KernelAnswer& answer) { answer.identity = identity; });
}

Result<std::uint32_t> RecordingKernelView::owner(const KernelFile& directory) {
  return recorded(
      {.operation = KernelOperation::owner, .handle = handle_of(directory)},
      [&] { return inner_.owner(inner_file(directory)); },
      [](std::uint32_t uid, KernelAnswer& answer) { answer.number = uid; });
}

bool RecordingKernelView::process_exists(int pid) {
  return recorded_value(
      {.operation = KernelOperation::process_exists, .pid = pid},
      [&] { return inner_.process_exists(pid); }, [](bool exists) { return exists ? 1u : 0u; });
}

Result<bool> RecordingKernelView::same_mm(int pid, int other_pid) {
  return recorded(
      {.operation = KernelOperation::same_mm, .pid = pid, .other_pid = other_pid},
      [&] { return inner_.same_mm(pid, other_pid); },
      [](bool same, KernelAnswer& answer) { answer.number = same ? 1 : 0; });
}

Nanoseconds RecordingKernelView::monotonic_now() {
  return recorded_value(
      {.operation = KernelOperation::monotonic_now}, [&] { return inner_.monotonic_now(); },
      [](Nanoseconds now) { return static_cast<std::uint64_t>(now.count()); });
}

Nanoseconds RecordingKernelView::wall_now() {
  return recorded_value(
      {.operation = KernelOperation::wall_now}, [&] { return inner_.wall_now(); },
      [](Nanoseconds now) { return static_cast<std::uint64_t>(now.count()); });
}

void RecordingKernelView::sleep_for(Nanoseconds duration) {
  recorded_value(
      {.operation = KernelOperation::sleep_for, .duration_ns = duration.count()},
      [&] {
        inner_.sleep_for(duration);
        return Ok{};
      },
      [](Ok) { return 0u; });
}

std::uint64_t RecordingKernelView::entropy() {
  return recorded_value(
      {.operation = KernelOperation::entropy}, [&] { return inner_.entropy(); },
      [](std::uint64_t bits) { return bits; });
}

}  // namespace smaps_audit
