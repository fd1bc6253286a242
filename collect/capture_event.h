// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "collect/kernel_view.h"

namespace smaps_audit {

/// The calls of KernelView, by their number in a capture (docs/capture-format.md): never renumber.
enum class KernelOperation : std::uint8_t {
  open = 1,
  open_directory = 2,
  open_at = 3,
  open_directory_at = 4,
  read = 5,
  pread = 6,
  rewind = 7,
  pagemap_scan = 8,
  procmap_query = 9,
  list = 10,
  read_link = 11,
  identify = 12,
  owner = 13,
  process_exists = 14,
  same_mm = 15,
  monotonic_now = 16,
  wall_now = 17,
  sleep_for = 18,
  entropy = 19,
};
inline constexpr std::uint8_t kLastKernelOperation = 19;

std::string_view to_string(KernelOperation operation);

/// One call with its arguments. Those that the operation does not have stay 0 and empty.
struct KernelCall {
  KernelOperation operation = KernelOperation::open;
  KernelRoot root = KernelRoot::proc;
  std::uint64_t handle = 0;  ///< of the file or directory it is about
  std::string path = {};     ///< relative, as asked
  std::uint64_t offset = 0;
  std::uint64_t size = 0;  ///< bytes asked; regions asked of PAGEMAP_SCAN
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  std::uint64_t category_anyof = 0;
  std::uint64_t return_mask = 0;
  std::uint64_t address = 0;
  std::int64_t pid = 0;
  std::int64_t other_pid = 0;
  std::int64_t duration_ns = 0;
  bool operator==(const KernelCall&) const = default;
};

/// "pread of handle 3 (65536 bytes at offset 1024)".
std::string in_words(const KernelCall& call);

/// What the kernel said. Only the fields of the operation are stored.
struct KernelAnswer {
  std::optional<Error> error = {};
  std::uint64_t number =
      0;  ///< new handle, uid, 0/1, nanoseconds (two's complement), random bits, walk_end
  std::string text = {};  ///< full path of an opened file; target of a link
  std::vector<std::byte> data = {};
  std::vector<PageRegion> regions = {};
  std::vector<std::string> names = {};
  std::optional<VmaGeometry> vma = {};
  FileIdentity identity = {};
};

struct CaptureEvent {
  KernelCall call = {};
  std::int64_t started_ns = 0;  ///< CLOCK_MONOTONIC
  std::uint64_t took_ns = 0;
  KernelAnswer answer = {};
};

/// How the bytes of a read are stored. The text of /proc repeats itself, which zstd sees; the words
/// of a pagemap ascend by one, which it does not.
enum class DataEncoding : std::uint8_t { raw = 0, words = 1 };

/// Longest event, and longest data in one. Anything above is an error on both sides.
inline constexpr std::size_t kMaxEventBytes = std::size_t{32} << 20;

/// Appends the event's body (docs/capture-format.md, "Events").
void encode_event(const CaptureEvent& event, DataEncoding data, std::vector<std::byte>& out);

/// Error `malformed` or `truncated` with `offset` = the place in `body`. Never allocates more than
/// the size that the event's own call asked for, and never more than kMaxEventBytes.
Result<CaptureEvent> decode_event(std::span<const std::byte> body);

}  // namespace smaps_audit
