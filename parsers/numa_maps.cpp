// SPDX-License-Identifier: Apache-2.0
#include "parsers/numa_maps.h"

#include <array>
#include <utility>

#include "base/parse_int.h"
#include "parsers/text_scan.h"

namespace smaps_audit {
namespace {

constexpr std::uint64_t kSmallestPageBytes = 4096;
constexpr std::uint64_t kBytesPerKib = 1024;
constexpr const char* kTwice = "a field of numa_maps stands twice in a line";
constexpr const char* kNoNumber = "a field of numa_maps is not a number of 64 bits";

struct CountField {
  std::string_view key;
  std::optional<std::uint64_t> NumaMapsRecord::*value;
};
constexpr std::array<CountField, 7> kCounts = {{
    {"anon", &NumaMapsRecord::anon_pages},
    {"dirty", &NumaMapsRecord::dirty_pages},
    {"mapped", &NumaMapsRecord::mapped_pages},
    {"mapmax", &NumaMapsRecord::mapmax},
    {"swapcache", &NumaMapsRecord::swapcache_pages},
    {"active", &NumaMapsRecord::active_pages},
    {"writeback", &NumaMapsRecord::writeback_pages},
}};

struct FlagField {
  std::string_view word;
  bool NumaMapsRecord::*value;
};
constexpr std::array<FlagField, 3> kFlags = {{
    {"heap", &NumaMapsRecord::heap},
    {"stack", &NumaMapsRecord::stack},
    {"huge", &NumaMapsRecord::huge},
}};

bool is_digit(char byte) { return byte >= '0' && byte <= '9'; }
bool is_node_key(std::string_view key) {
  return key.size() > 1 && key[0] == 'N' && is_digit(key[1]);
}

const CountField* find_count(std::string_view key) {
  for (const CountField& field : kCounts) {
    if (field.key == key) return &field;
  }
  return nullptr;
}

const FlagField* find_flag(std::string_view word) {
  for (const FlagField& field : kFlags) {
    if (field.word == word) return &field;
  }
  return nullptr;
}

/// Reads the words of one line. The functions return nullptr if it is right, else what is wrong.
class LineReader {
 public:
  explicit LineReader(NumaMapsRecord& record) : record_(record) {}

  const char* read(std::string_view line) {
    std::string_view rest = line;
    const auto start = parse_unsigned(take_word(rest), 16);
    if (!start || *start % kSmallestPageBytes != 0) {
      return "a line of numa_maps does not start with the hexadecimal address of a page";
    }
    record_.start = *start;
    if (rest.empty() || rest[0] == ' ') return "a line of numa_maps has no policy";
    const std::string_view policy_on = rest;
    take_word(rest);
    while (!rest.empty() && !is_known(rest.substr(0, rest.find(' ')))) take_word(rest);
    record_.policy = policy_on.substr(0, policy_on.size() - rest.size());
    if (record_.policy.back() == ' ') record_.policy.remove_suffix(1);
    const char* problem = nullptr;
    while (problem == nullptr && !rest.empty()) problem = add_word(take_word(rest));
    return problem;
  }

 private:
  static bool is_known(std::string_view word) {
    const std::size_t equals = word.find('=');
    if (equals == std::string_view::npos) return find_flag(word) != nullptr;
    const std::string_view key = word.substr(0, equals);
    return key == "file" || key == "kernelpagesize_kB" || is_node_key(key) ||
           find_count(key) != nullptr;
  }

  const char* add_word(std::string_view word) {
    const std::size_t equals = word.find('=');
    if (equals == std::string_view::npos) return add_flag(word);
    const std::string_view key = word.substr(0, equals);
    const std::string_view value = word.substr(equals + 1);
    if (key == "file") {
      if (std::exchange(has_file_, true)) return kTwice;
      record_.file = value;
      return nullptr;
    }
    if (key == "kernelpagesize_kB") return add_page_size(value);
    if (is_node_key(key)) return add_node(key.substr(1), value);
    if (const CountField* const field = find_count(key)) {
      if (record_.*(field->value)) return kTwice;
      record_.*(field->value) = parse_unsigned(value);
      return record_.*(field->value) ? nullptr : kNoNumber;
    }
    ++record_.unknown_fields;
    return nullptr;
  }

  const char* add_flag(std::string_view word) {
    const FlagField* const field = find_flag(word);
    if (field == nullptr) {
      ++record_.unknown_fields;
      return nullptr;
    }
    return std::exchange(record_.*(field->value), true) ? kTwice : nullptr;
  }

  const char* add_page_size(std::string_view value) {
    if (record_.kernel_page_bytes) return kTwice;
    const auto kib = parse_unsigned(value);
    if (!kib || *kib == 0 || *kib > UINT64_MAX / kBytesPerKib) {
      return "kernelpagesize_kB is not the size of a page";
    }
    record_.kernel_page_bytes = *kib * kBytesPerKib;
    return nullptr;
  }

  const char* add_node(std::string_view node_text, std::string_view value) {
    const auto node = parse_unsigned(node_text);
    const auto pages = parse_unsigned(value);
    if (!node || !pages) return kNoNumber;
    if (last_node_ && *node <= *last_node_) return "the nodes of numa_maps do not ascend";
    if (*pages > UINT64_MAX - record_.total_pages)
      return "the sum of the nodes does not fit 64 bits";
    last_node_ = node;
    record_.total_pages += *pages;
    ++record_.nodes;
    return nullptr;
  }

  NumaMapsRecord& record_;
  bool has_file_ = false;
  std::optional<std::uint64_t> last_node_;
};

}  // namespace

Result<NumaMapsText> parse_numa_maps(std::string_view text) {
  if (auto error = check_whole_lines(text)) return *std::move(error);
  NumaMapsText numa_maps;
  LineScanner lines(text);
  while (const auto line = lines.next()) {
    NumaMapsRecord& record = numa_maps.records.emplace_back();
    const char* const problem = LineReader(record).read(*line);
    if (problem != nullptr) return malformed_error(problem, *line, lines.number());
    numa_maps.unknown_fields += record.unknown_fields;
  }
  return numa_maps;
}

}  // namespace smaps_audit
