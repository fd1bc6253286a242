// SPDX-License-Identifier: Apache-2.0
#include "parsers/smaps.h"

#include <string>
#include <utility>

#include "base/parse_int.h"
#include "parsers/text_scan.h"

namespace smaps_audit {
namespace {

/// All keys in the order in which the kernel writes them: first those of SmapsField, by its values.
constexpr std::array<std::string_view, kSmapsFieldCount + 3> kKeys = {"Size",
                                                                      "KernelPageSize",
                                                                      "MMUPageSize",
                                                                      "Rss",
                                                                      "Pss",
                                                                      "Pss_Dirty",
                                                                      "Pss_Anon",
                                                                      "Pss_File",
                                                                      "Pss_Shmem",
                                                                      "Shared_Clean",
                                                                      "Shared_Dirty",
                                                                      "Private_Clean",
                                                                      "Private_Dirty",
                                                                      "Referenced",
                                                                      "Anonymous",
                                                                      "KSM",
                                                                      "LazyFree",
                                                                      "AnonHugePages",
                                                                      "ShmemPmdMapped",
                                                                      "FilePmdMapped",
                                                                      "Shared_Hugetlb",
                                                                      "Private_Hugetlb",
                                                                      "Swap",
                                                                      "SwapPss",
                                                                      "Locked",
                                                                      "THPeligible",
                                                                      "ProtectionKey",
                                                                      "VmFlags"};
constexpr std::size_t kThpEligible = kSmapsFieldCount;
constexpr std::size_t kProtectionKey = kSmapsFieldCount + 1;
constexpr std::size_t kVmFlags = kSmapsFieldCount + 2;
static_assert(kKeys[static_cast<std::size_t>(SmapsField::locked)] == "Locked");
static_assert(kKeys[kVmFlags] == "VmFlags");

/// Finds keys in kKeys. The next one is mostly the one after the last, so the search starts there.
class KeyFinder {
 public:
  /// The index in kKeys of the key that `line` starts with, colon included, or kKeys.size().
  std::size_t find(std::string_view line) {
    for (std::size_t tried = 0; tried < kKeys.size(); ++tried) {
      const std::size_t index = next_;
      next_ = index + 1 == kKeys.size() ? 0 : index + 1;
      const std::string_view key = kKeys[index];
      if (key.size() < line.size() && line[key.size()] == ':' && line.starts_with(key))
        return index;
    }
    return kKeys.size();
  }

 private:
  std::size_t next_ = 0;
};

/// Fills one record, line by line. add_line() returns nullptr if the line is right, else what is
/// wrong with it.
class RecordReader {
 public:
  const char* add_line(std::string_view line, SmapsRecord& record) {
    const std::size_t key = finder_.find(line);
    if (key == kKeys.size()) return add_unknown(line, record);
    const std::string_view text = line.substr(kKeys[key].size() + 1);
    switch (key) {
      case kThpEligible: return add_thp_eligible(text, record);
      case kProtectionKey: return add_protection_key(text, record);
      case kVmFlags: return add_vm_flags(text, record);
      default: return add_size(static_cast<SmapsField>(key), text, record.values);
    }
  }

 private:
  static constexpr const char* kTwice = "the field stands twice in a record";

  static const char* add_size(SmapsField field, std::string_view text, SmapsValues& values) {
    if (values.has(field)) return kTwice;
    const auto bytes = parse_kib_as_bytes(text);
    if (!bytes) return "the value of the field is not a number of kB that fits 64 bits";
    values.set(field, *bytes);
    return nullptr;
  }

  static const char* add_thp_eligible(std::string_view text, SmapsRecord& record) {
    if (record.thp_eligible) return kTwice;
    const auto value = parse_unsigned(skip_blanks(text));
    if (!value || *value > 1) return "the value of the field is neither 0 nor 1";
    record.thp_eligible = *value == 1;
    return nullptr;
  }

  static const char* add_protection_key(std::string_view text, SmapsRecord& record) {
    if (record.protection_key) return kTwice;
    const auto value = parse_unsigned(skip_blanks(text));
    if (!value) return "the value of the field is not a number";
    record.protection_key = *value;
    return nullptr;
  }

  static const char* add_vm_flags(std::string_view text, SmapsRecord& record) {
    if (record.has_vm_flags) return kTwice;
    record.flags = parse_vm_flags(text);
    record.has_vm_flags = true;
    return nullptr;
  }

  static const char* add_unknown(std::string_view line, SmapsRecord& record) {
    if (!split_keyed_line(line)) return "the line is neither the header of a VMA nor a field";
    ++record.unknown_fields;
    return nullptr;
  }

  KeyFinder finder_;
};

Error at_line(Error error, std::uint64_t line) {
  error.line = line;
  return error;
}

/// What a record that is at its end lacks, or nullptr. VmFlags is the last line of every record on
/// every kernel that writes it.
const char* missing_in(const SmapsRecord& record, bool has_fields, bool flags_expected) {
  if (!has_fields) return "the record of a VMA has no field";
  if (flags_expected && !record.has_vm_flags) {
    return "the record of a VMA lacks VmFlags, which the one before it has";
  }
  return nullptr;
}

// Of a record of 6.1 … 6.18 with a short name; only the size of the first allocation depends on it.
constexpr std::size_t kTypicalRecordBytes = 640;

}  // namespace

std::string_view smaps_field_name(SmapsField field) {
  return kKeys[static_cast<std::size_t>(field)];
}

Result<SmapsText> parse_smaps(std::string_view text) {
  if (auto error = check_whole_lines(text)) return *std::move(error);
  SmapsText smaps;
  smaps.records.reserve(text.size() / kTypicalRecordBytes + 1);
  LineScanner lines(text);
  RecordReader reader;
  SmapsRecord* record = nullptr;
  bool has_fields = false;
  bool flags_expected = false;
  while (const auto line = lines.next()) {
    if (looks_like_vma_header(*line)) {
      if (record != nullptr) {
        const char* const missing = missing_in(*record, has_fields, flags_expected);
        if (missing != nullptr) return malformed_error(missing, *line, lines.number());
        flags_expected = record->has_vm_flags;
      }
      auto header = parse_vma_header(*line);
      if (!header) return at_line(header.error(), lines.number());
      record = &smaps.records.emplace_back();
      record->header = *header;
      has_fields = false;
      continue;
    }
    if (record == nullptr) {
      return malformed_error("the line stands before any header of a VMA", *line, lines.number());
    }
    const char* const problem = reader.add_line(*line, *record);
    if (problem != nullptr) return malformed_error(problem, *line, lines.number());
    has_fields = true;
  }
  if (record != nullptr) {
    const char* const missing = missing_in(*record, has_fields, flags_expected);
    if (missing != nullptr) return truncated_error(missing, text);
  }
  for (const SmapsRecord& each : smaps.records) {
    smaps.unknown_fields += each.unknown_fields;
    smaps.unknown_flags += each.flags.unknown;
  }
  return smaps;
}

Result<SmapsRecord> parse_smaps_rollup(std::string_view text) {
  if (auto error = check_whole_lines(text)) return *std::move(error);
  LineScanner lines(text);
  const auto first = lines.next();
  if (!first) return truncated_error("the text is empty", text);
  auto header = parse_rollup_header(*first);
  if (!header) return at_line(header.error(), lines.number());
  SmapsRecord record;
  record.header = *header;
  RecordReader reader;
  while (const auto line = lines.next()) {
    const char* const problem = reader.add_line(*line, record);
    if (problem != nullptr) return malformed_error(problem, *line, lines.number());
  }
  if (lines.number() == 1) return truncated_error("the rollup has no field", text);
  return record;
}

}  // namespace smaps_audit
