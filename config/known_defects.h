// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace smaps_audit {

enum class DefectClass : std::uint8_t {
  finding,  ///< a number that users read is wrong
  note,     ///< imprecision or a wrong flag that no Rss or Pss depends on
};

/// What can show a defect. The rows that an audit does not recognise are there to be explained.
enum class SeenBy : std::uint8_t {
  audit,  ///< the audit of a process names it
  start,  ///< tried at start, on memory of our own
  host,   ///< sums over a whole host or cgroup (checks I13, I14)
  probe,  ///< only a workload whose truth is known
};

/// By what behaviour a defect is recognised; never by kernel version.
struct DefectSignature {
  /// Who is wrong, as name_of(Interface) spells it; or the name of a file that no check of a
  /// process reads.
  std::vector<std::string> interfaces;
  std::vector<std::string> fields;    ///< as the interface spells them; "*": every one
  std::string direction;              ///< "deficit", "excess" or "either"
  std::uint64_t granule_bytes = 0;    ///< the error is a multiple of this; 0: of anything
  std::vector<std::string> sided_by;  ///< witnesses that contradict it
  bool varies = false;                ///< differs from read to read of an unchanged process
  bool needs_awake = false;           ///< only while threads of the target run
  std::string mapping_flag;           ///< only in mappings with this VmFlag; empty: in any
  /// The error is at most this bound of docs/kernel.md §2; empty: it has no bound. "thread_cache",
  /// "percpu_batch" or "hardware_corrupted" (meminfo).
  std::string bound;
};

/// One row of config/known-defects.json, which is compiled in.
struct KnownDefect {
  std::string id;  ///< "K01"
  DefectClass defect_class = DefectClass::finding;
  SeenBy seen_by = SeenBy::audit;
  std::string title;     ///< one line
  std::string versions;  ///< where it was seen, in words, for people only
  DefectSignature signature;
  std::vector<std::string> what_to_do;  ///< sentences for a report
  std::vector<std::string> background;  ///< more of them, for who asks
  std::vector<std::string> links;
};

/// All rows, in the order of the file. Parsed once; never changes.
const std::vector<KnownDefect>& known_defects();

/// nullptr if there is no such defect.
const KnownDefect* find_known_defect(std::string_view id);
/// The id itself, if the table has it: what a finding is called.
std::optional<std::string> defect_if_known(std::string_view id);

}  // namespace smaps_audit
