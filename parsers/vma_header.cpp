// SPDX-License-Identifier: Apache-2.0
#include "parsers/vma_header.h"

#include <algorithm>

#include "base/parse_int.h"
#include "parsers/text_scan.h"

namespace smaps_audit {
namespace {

constexpr std::uint64_t kSmallestPageBytes = 4096;  // of all architectures that Linux has
constexpr std::uint64_t kLargestMajor = 0xfff;      // include/linux/kdev_t.h: 12 and 20 bits
constexpr std::uint64_t kLargestMinor = 0xfffff;

enum class EmptyRange : bool { refused, allowed };

bool is_page_aligned(std::uint64_t bytes) { return bytes % kSmallestPageBytes == 0; }

// The readers return nullptr if the word is right, else what is wrong with it.

const char* read_range(std::string_view word, EmptyRange empty, VmaHeader& header) {
  const std::size_t dash = word.find('-');
  if (dash == std::string_view::npos) return "the address range of a VMA has no '-'";
  const auto start = parse_unsigned(word.substr(0, dash), 16);
  const auto end = parse_unsigned(word.substr(dash + 1), 16);
  if (!start || !end) return "the address range of a VMA is not two hexadecimal numbers";
  if (!is_page_aligned(*start) || !is_page_aligned(*end)) {
    return "the address range of a VMA is not made of whole pages";
  }
  if (*end < *start || (*end == *start && empty == EmptyRange::refused)) {
    return "the address range of a VMA is empty or reversed";
  }
  header.start = *start;
  header.end = *end;
  return nullptr;
}

const char* read_permissions(std::string_view word, VmaHeader& header) {
  constexpr const char* kProblem = "the permissions of a VMA are not of the form [r-][w-][x-][sp]";
  constexpr std::string_view kLetters = "rwx";
  if (word.size() != 4) return kProblem;
  for (std::size_t i = 0; i < kLetters.size(); ++i) {
    if (word[i] != kLetters[i] && word[i] != '-') return kProblem;
  }
  if (word[3] != 's' && word[3] != 'p') return kProblem;
  header.readable = word[0] == 'r';
  header.writable = word[1] == 'w';
  header.executable = word[2] == 'x';
  header.shared = word[3] == 's';
  return nullptr;
}

const char* read_device(std::string_view word, VmaHeader& header) {
  const std::size_t colon = word.find(':');
  if (colon == std::string_view::npos) return "the device of a VMA has no ':'";
  const auto major = parse_unsigned(word.substr(0, colon), 16);
  const auto minor = parse_unsigned(word.substr(colon + 1), 16);
  if (!major || !minor || *major > kLargestMajor || *minor > kLargestMinor) {
    return "the device of a VMA is not two hexadecimal numbers of 12 and 20 bits";
  }
  header.device_major = static_cast<std::uint32_t>(*major);
  header.device_minor = static_cast<std::uint32_t>(*minor);
  return nullptr;
}

const char* read_offset(std::string_view word, VmaHeader& header) {
  const auto offset = parse_unsigned(word, 16);
  if (!offset || !is_page_aligned(*offset)) {
    return "the file offset of a VMA is not a hexadecimal number of whole pages";
  }
  header.file_offset = *offset;
  return nullptr;
}

const char* read_inode(std::string_view word, VmaHeader& header) {
  const auto inode = parse_unsigned(word);
  if (!inode) return "the inode of a VMA is not a number";
  header.inode = *inode;
  return nullptr;
}

const char* read_header(std::string_view line, EmptyRange empty, VmaHeader& header) {
  std::string_view rest = line;
  const char* problem = read_range(take_word(rest), empty, header);
  if (problem == nullptr) problem = read_permissions(take_word(rest), header);
  if (problem == nullptr) problem = read_offset(take_word(rest), header);
  if (problem == nullptr) problem = read_device(take_word(rest), header);
  if (problem == nullptr) problem = read_inode(take_word(rest), header);
  // The kernel pads to a column; no name of its own begins with a blank (paths begin with '/').
  const std::size_t first = rest.find_first_not_of(' ');
  header.name = first == std::string_view::npos ? std::string_view{} : rest.substr(first);
  return problem;
}

bool is_hex_digit(char byte) {
  return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f');
}

/// How many hex digits `text` starts with.
std::size_t count_hex(std::string_view text) {
  const auto stop = std::find_if_not(text.begin(), text.end(), is_hex_digit);
  return static_cast<std::size_t>(stop - text.begin());
}

}  // namespace

bool looks_like_vma_header(std::string_view line) {
  const std::size_t start_digits = count_hex(line);
  if (start_digits == 0 || start_digits == line.size() || line[start_digits] != '-') return false;
  line.remove_prefix(start_digits + 1);
  const std::size_t end_digits = count_hex(line);
  return end_digits > 0 && end_digits < line.size() && line[end_digits] == ' ';
}

Result<VmaHeader> parse_vma_header(std::string_view line) {
  VmaHeader header;
  const char* const problem = read_header(line, EmptyRange::refused, header);
  if (problem != nullptr) return malformed_error(problem, line);
  return header;
}

Result<VmaHeader> parse_rollup_header(std::string_view line) {
  VmaHeader header;
  const char* const problem = read_header(line, EmptyRange::allowed, header);
  if (problem != nullptr) return malformed_error(problem, line);
  const bool zeros = header.file_offset == 0 && !header.has_file();
  if (header.name != "[rollup]" || header.accessible() || header.shared || !zeros) {
    return malformed_error("the first line is not the header of a rollup", line);
  }
  return header;
}

Result<std::vector<VmaHeader>> parse_maps(std::string_view text) {
  if (auto error = check_whole_lines(text)) return *std::move(error);
  std::vector<VmaHeader> headers;
  LineScanner lines(text);
  while (const auto line = lines.next()) {
    VmaHeader& header = headers.emplace_back();
    const char* const problem = read_header(*line, EmptyRange::refused, header);
    if (problem != nullptr) return malformed_error(problem, *line, lines.number());
  }
  return headers;
}

}  // namespace smaps_audit
