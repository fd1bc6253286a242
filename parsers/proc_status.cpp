// SPDX-License-Identifier: Apache-2.0
#include "parsers/proc_status.h"

#include <array>
#include <bitset>

#include "base/parse_int.h"
#include "parsers/text_scan.h"

namespace smaps_audit {
namespace {

using Number = std::optional<std::uint64_t> ProcStatus::*;

enum class Kind : std::uint8_t { ignored, name, state, number, first_number, kib };

struct Field {
  std::string_view key;
  Kind kind = Kind::ignored;
  Number value = nullptr;
};

/// Every key of 5.10 … 7.3 in the order in which the kernel writes it.
constexpr std::array kFields = {
    Field{"Name", Kind::name},
    Field{"Umask"},
    Field{"State", Kind::state},
    Field{"Tgid", Kind::number, &ProcStatus::thread_group_id},
    Field{"Ngid"},
    Field{"Pid", Kind::number, &ProcStatus::pid},
    Field{"PPid"},
    Field{"TracerPid"},
    Field{"Uid", Kind::first_number, &ProcStatus::real_uid},
    Field{"Gid"},
    Field{"FDSize"},
    Field{"Groups"},
    Field{"NStgid"},
    Field{"NSpid"},
    Field{"NSpgid"},
    Field{"NSsid"},
    Field{"Kthread"},
    Field{"VmPeak", Kind::kib, &ProcStatus::vm_peak},
    Field{"VmSize", Kind::kib, &ProcStatus::vm_size},
    Field{"VmLck"},
    Field{"VmPin"},
    Field{"VmHWM", Kind::kib, &ProcStatus::vm_hwm},
    Field{"VmRSS", Kind::kib, &ProcStatus::vm_rss},
    Field{"RssAnon", Kind::kib, &ProcStatus::rss_anon},
    Field{"RssFile", Kind::kib, &ProcStatus::rss_file},
    Field{"RssShmem", Kind::kib, &ProcStatus::rss_shmem},
    Field{"VmData"},
    Field{"VmStk"},
    Field{"VmExe"},
    Field{"VmLib"},
    Field{"VmPTE", Kind::kib, &ProcStatus::vm_pte},
    Field{"VmSwap", Kind::kib, &ProcStatus::vm_swap},
    Field{"HugetlbPages", Kind::kib, &ProcStatus::hugetlb_pages},
    Field{"CoreDumping"},
    Field{"THP_enabled"},
    Field{"untag_mask"},
    Field{"Threads", Kind::number, &ProcStatus::threads},
    Field{"SigQ"},
    Field{"SigPnd"},
    Field{"ShdPnd"},
    Field{"SigBlk"},
    Field{"SigIgn"},
    Field{"SigCgt"},
    Field{"CapInh"},
    Field{"CapPrm"},
    Field{"CapEff"},
    Field{"CapBnd"},
    Field{"CapAmb"},
    Field{"NoNewPrivs"},
    Field{"Seccomp"},
    Field{"Seccomp_filters"},
    Field{"Speculation_Store_Bypass"},
    Field{"SpeculationIndirectBranch"},
    Field{"Cpus_allowed"},
    Field{"Cpus_allowed_list"},
    Field{"Mems_allowed"},
    Field{"Mems_allowed_list"},
    Field{"voluntary_ctxt_switches", Kind::number, &ProcStatus::voluntary_switches},
    Field{"nonvoluntary_ctxt_switches", Kind::number, &ProcStatus::involuntary_switches},
    Field{"x86_Thread_features"},
    Field{"x86_Thread_features_locked"},
};

/// Finds keys in kFields; the search starts behind the last one found, where the next one mostly
/// is.
class FieldFinder {
 public:
  /// The index of `key`, or kFields.size().
  std::size_t find(std::string_view key) {
    for (std::size_t tried = 0; tried < kFields.size(); ++tried) {
      const std::size_t index = next_;
      next_ = index + 1 == kFields.size() ? 0 : index + 1;
      if (kFields[index].key == key) return index;
    }
    return kFields.size();
  }

 private:
  std::size_t next_ = 0;
};

/// nullptr if `text`, what follows the colon, is right for the field, else what is wrong with it.
const char* read_field(const Field& field, std::string_view text, ProcStatus& status) {
  const std::string_view value = skip_blanks(text);
  switch (field.kind) {
    case Kind::ignored: return nullptr;
    case Kind::name:
      if (text.empty() || text[0] != '\t') return "no tab follows the key Name";
      status.name = text.substr(1);  // a name may begin with a blank
      return nullptr;
    case Kind::state:
      if (value.empty()) return "the state is empty";
      status.state = value[0];
      return nullptr;
    case Kind::kib:
      status.*(field.value) = parse_kib_as_bytes(text);
      return status.*(field.value) ? nullptr : "the value is not a number of kB that fits 64 bits";
    case Kind::number:
      status.*(field.value) = parse_unsigned(value);
      return status.*(field.value) ? nullptr : "the value is not a number";
    case Kind::first_number:
      status.*(field.value) = parse_unsigned(value.substr(0, value.find('\t')));
      return status.*(field.value) ? nullptr : "the first value is not a number";
  }
  return nullptr;
}

}  // namespace

Result<ProcStatus> parse_proc_status(std::string_view text) {
  if (auto error = check_whole_lines(text)) return *std::move(error);
  ProcStatus status;
  FieldFinder finder;
  std::bitset<kFields.size()> seen;
  LineScanner lines(text);
  while (const auto line = lines.next()) {
    const auto keyed = split_keyed_line(*line);
    if (!keyed) return malformed_error("the line has no key", *line, lines.number());
    const std::size_t index = finder.find(keyed->key);
    if (index == kFields.size()) {
      ++status.unknown_fields;
      continue;
    }
    if (seen.test(index)) return malformed_error("the key stands twice", *line, lines.number());
    seen.set(index);
    const char* const problem = read_field(kFields[index], keyed->rest, status);
    if (problem != nullptr) return malformed_error(problem, *line, lines.number());
  }
  if (!seen.test(0)) return truncated_error("the text has no Name", text);
  return status;
}

Result<ProcStatm> parse_proc_statm(std::string_view text) {
  constexpr std::size_t kNumbers = 7;
  if (text.empty()) return truncated_error("the text is empty", text);
  if (auto error = check_whole_lines(text)) return *std::move(error);
  std::string_view rest = text.substr(0, text.size() - 1);
  std::array<std::uint64_t, kNumbers> pages{};
  for (std::uint64_t& each : pages) {
    if (rest.empty()) return truncated_error("statm has fewer than seven numbers", text);
    const auto value = parse_unsigned(take_word(rest));
    if (!value) return malformed_error("statm is not made of seven numbers", text, 1);
    each = *value;
  }
  if (!rest.empty()) return malformed_error("something follows the numbers of statm", rest, 1);
  return ProcStatm{.size_pages = pages[0], .resident_pages = pages[1], .shared_pages = pages[2]};
}

}  // namespace smaps_audit
