// SPDX-License-Identifier: Apache-2.0
// The calls of a capture in words, for messages.
#include "collect/capture_event.h"

namespace smaps_audit {
namespace {

std::string hex(std::uint64_t value) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  do {
    text.insert(text.begin(), kDigits[value & 15]);
    value >>= 4;
  } while (value != 0);
  return "0x" + text;
}

std::string below(const KernelCall& call) {
  return " of \"" + call.path + "\" below handle " + std::to_string(call.handle);
}

std::string arguments_in_words(const KernelCall& call) {
  const std::string handle = " of handle " + std::to_string(call.handle);
  switch (call.operation) {
    case KernelOperation::open:
    case KernelOperation::open_directory:
      return std::string{" of \""} + call.path + "\" in " +
             (call.root == KernelRoot::proc ? "proc" : "sys");
    case KernelOperation::open_at:
    case KernelOperation::open_directory_at:
    case KernelOperation::read_link:
    case KernelOperation::identify: return below(call);
    case KernelOperation::read: return handle + " (" + std::to_string(call.size) + " bytes)";
    case KernelOperation::pread:
      return handle + " (" + std::to_string(call.size) + " bytes at offset " +
             std::to_string(call.offset) + ")";
    case KernelOperation::rewind:
    case KernelOperation::list:
    case KernelOperation::owner: return handle;
    case KernelOperation::pagemap_scan:
      return handle + " (" + hex(call.start) + " to " + hex(call.end) + ", any of " +
             hex(call.category_anyof) + ", returning " + hex(call.return_mask) + ", " +
             std::to_string(call.size) + " regions)";
    case KernelOperation::procmap_query: return handle + " at " + hex(call.address);
    case KernelOperation::process_exists: return " of process " + std::to_string(call.pid);
    case KernelOperation::same_mm:
      return " of processes " + std::to_string(call.pid) + " and " + std::to_string(call.other_pid);
    case KernelOperation::sleep_for: return " " + std::to_string(call.duration_ns) + " ns";
    case KernelOperation::monotonic_now:
    case KernelOperation::wall_now:
    case KernelOperation::entropy: return "";
  }
  return "";
}

}  // namespace

std::string_view to_string(KernelOperation operation) {
  switch (operation) {
    case KernelOperation::open: return "open";
    case KernelOperation::open_directory: return "open_directory";
    case KernelOperation::open_at: return "open_at";
    case KernelOperation::open_directory_at: return "open_directory_at";
    case KernelOperation::read: return "read";
    case KernelOperation::pread: return "pread";
    case KernelOperation::rewind: return "rewind";
    case KernelOperation::pagemap_scan: return "pagemap_scan";
    case KernelOperation::procmap_query: return "procmap_query";
    case KernelOperation::list: return "list";
    case KernelOperation::read_link: return "read_link";
    case KernelOperation::identify: return "identify";
    case KernelOperation::owner: return "owner";
    case KernelOperation::process_exists: return "process_exists";
    case KernelOperation::same_mm: return "same_mm";
    case KernelOperation::monotonic_now: return "monotonic_now";
    case KernelOperation::wall_now: return "wall_now";
    case KernelOperation::sleep_for: return "sleep_for";
    case KernelOperation::entropy: return "entropy";
  }
  return "unknown operation";
}

std::string in_words(const KernelCall& call) {
  return std::string{to_string(call.operation)} + arguments_in_words(call);
}

}  // namespace smaps_audit
