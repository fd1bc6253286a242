// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "collect/capture_file.h"

namespace smaps_audit {

inline std::vector<std::byte> to_bytes(std::string_view text) {
  const auto bytes = std::as_bytes(std::span{text});
  return {bytes.begin(), bytes.end()};
}

inline std::string to_text(std::span<const std::byte> bytes) {
  std::string text;
  for (const std::byte byte : bytes) text += static_cast<char>(byte);
  return text;
}

inline CaptureMetadata sample_metadata() {
  CaptureMetadata metadata;
  metadata.tool_version = "0.1.0";
  metadata.host.kernel_release = "6.1.0-56-cloud-amd64";
  metadata.host.machine = "x86_64";
  metadata.host.boot_id = "c0ffee00-0000-4000-8000-000000000001";
  metadata.host.cpus = 2;
  metadata.host.thp = "madvise";
  metadata.capabilities.pagemap = true;
  metadata.capabilities.mapcount_per_page = true;
  metadata.capabilities.scan_tells_guard = true;
  metadata.capabilities.zero_pfn = 4711;
  metadata.capabilities.huge_zero_pfns = Interval{512, 1023};
  metadata.capabilities.rss_counters = RssCounterError::exact;
  metadata.pid = 1234;
  metadata.full_series = true;
  metadata.uid = 65534;
  metadata.deadline_ns = 5'000'000'000;
  metadata.comm = "a\xff \"b\"";
  return metadata;
}

/// One event of each operation, with every field of its answer set.
inline std::vector<CaptureEvent> sample_events() {
  using enum KernelOperation;
  std::vector<CaptureEvent> events;
  const auto add = [&](KernelCall call, KernelAnswer answer) {
    const auto number = static_cast<std::int64_t>(events.size());
    events.push_back({.call = std::move(call),
                      .started_ns = 1000 * number,
                      .took_ns = 7,
                      .answer = std::move(answer)});
  };
  add({.operation = open, .root = KernelRoot::sys, .path = "kernel/mm"},
      {.number = 1, .text = "/sys/kernel/mm"});
  add({.operation = open_directory, .path = "1234"}, {.number = 2, .text = "/proc/1234"});
  add({.operation = open_at, .handle = 2, .path = "smaps"},
      {.number = 3, .text = "/proc/1234/smaps"});
  add({.operation = open_directory_at, .handle = 2, .path = "task"},
      {.number = 4, .text = "/proc/1234/task"});
  add({.operation = read, .handle = 3, .size = 65536}, {.data = to_bytes("Rss: 4 kB\n")});
  add({.operation = pread, .handle = 3, .offset = 8192, .size = 16},
      {.data = to_bytes("0123456789abcdef")});
  add({.operation = rewind, .handle = 3}, {});
  add({.operation = pagemap_scan,
       .handle = 3,
       .size = 2,
       .start = 0x1000,
       .end = 0x9000,
       .category_anyof = 24,
       .return_mask = 124},
      {.number = 0x8000, .regions = {{0x1000, 0x3000, 8}, {0x5000, 0x6000, 16}}});
  add({.operation = procmap_query, .handle = 3, .address = 0x2000},
      {.vma = VmaGeometry{0x1000, 0x3000, true}});
  add({.operation = list, .handle = 4}, {.names = {"1234", "1235", ""}});
  add({.operation = read_link, .handle = 2, .path = "exe"}, {.text = "/bin/\xff (deleted)"});
  add({.operation = identify, .handle = 2, .path = "exe"}, {.identity = {64769, 42, -5}});
  add({.operation = owner, .handle = 2}, {.number = 1000});
  add({.operation = process_exists, .pid = 1234}, {.number = 1});
  add({.operation = same_mm, .pid = 1234, .other_pid = -1}, {.number = 1});
  add({.operation = monotonic_now}, {.number = 123456789});
  add({.operation = wall_now}, {.number = 1'700'000'000'000'000'000});
  add({.operation = sleep_for, .duration_ns = 3'000'000}, {});
  add({.operation = entropy}, {.number = ~std::uint64_t{0}});
  add({.operation = read, .handle = 3, .size = 65536}, {.error = Error{.code = ErrorCode::gone,
                                                                       .what = "cannot read",
                                                                       .file = "/proc/1234/smaps",
                                                                       .line = 3,
                                                                       .offset = 99,
                                                                       .errno_value = 3}});
  return events;
}

inline bool same_answer(const KernelAnswer& a, const KernelAnswer& b) {
  const auto same_region = [](const PageRegion& x, const PageRegion& y) {
    return x.start == y.start && x.end == y.end && x.categories == y.categories;
  };
  return a.error.has_value() == b.error.has_value() &&
         (!a.error ||
          (a.error->code == b.error->code && a.error->what == b.error->what &&
           a.error->file == b.error->file && a.error->line == b.error->line &&
           a.error->offset == b.error->offset && a.error->errno_value == b.error->errno_value)) &&
         a.number == b.number && a.text == b.text && a.data == b.data && a.names == b.names &&
         a.vma == b.vma && a.identity == b.identity &&
         std::equal(a.regions.begin(), a.regions.end(), b.regions.begin(), b.regions.end(),
                    same_region);
}

inline bool same_event(const CaptureEvent& a, const CaptureEvent& b) {
  return a.call == b.call && a.started_ns == b.started_ns && a.took_ns == b.took_ns &&
         same_answer(a.answer, b.answer);
}

/// Writes a capture of these events; the caller's test fails if that fails.
inline Result<Ok> write_capture(const std::string& path, const std::vector<CaptureEvent>& events) {
  Result<CaptureWriter> writer = CaptureWriter::create(path, sample_metadata());
  if (!writer) return writer.error();
  for (const CaptureEvent& event : events) writer->append(event, DataEncoding::raw);
  return writer->finish();
}

/// All events of a capture, or the first error.
inline Result<std::vector<CaptureEvent>> read_capture(const std::string& path) {
  Result<CaptureReader> reader = CaptureReader::open(path);
  if (!reader) return reader.error();
  std::vector<CaptureEvent> events;
  for (;;) {
    Result<std::optional<CaptureEvent>> event = reader->next();
    if (!event) return event.error();
    if (!*event) return events;
    events.push_back(**std::move(event));
  }
}

}  // namespace smaps_audit
