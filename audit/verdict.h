// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/interval.h"

namespace smaps_audit {

enum class Verdict : std::uint8_t { consistent, finding, inconclusive, denied, vanished, skipped };
enum class Direction : std::uint8_t { deficit, excess };

/// The witnesses (docs/design.md, "Who is lying?"). `pair` never names a culprit: see
/// Finding::against.
enum class Interface : std::uint8_t {
  smaps,
  smaps_rollup,
  numa_maps,
  pagemap,
  pagemap_scan,
  status,
  statm
};

/// What makes a finding more than a coincidence (docs/method.md §5–§7).
enum class Basis : std::uint8_t { asleep, series, same_record, frozen };
enum class Cause : std::uint8_t { mprotect, numa_hint };

/// All of each, in the order of their declaration.
inline constexpr std::array kVerdicts{Verdict::consistent, Verdict::finding,  Verdict::inconclusive,
                                      Verdict::denied,     Verdict::vanished, Verdict::skipped};
inline constexpr std::array kDirections{Direction::deficit, Direction::excess};
inline constexpr std::array kInterfaces{
    Interface::smaps,        Interface::smaps_rollup, Interface::numa_maps, Interface::pagemap,
    Interface::pagemap_scan, Interface::status,       Interface::statm};
inline constexpr std::array kBases{Basis::asleep, Basis::series, Basis::same_record, Basis::frozen};
inline constexpr std::array kCauses{Cause::mprotect, Cause::numa_hint};

/// Something is said of the process: it is right, or it is wrong.
constexpr bool is_conclusive(Verdict verdict) {
  return verdict == Verdict::consistent || verdict == Verdict::finding;
}

std::string_view name_of(Verdict verdict);
std::string_view name_of(Direction direction);
std::string_view name_of(Interface interface);
std::string_view name_of(Basis basis);
std::string_view name_of(Cause cause);

/// One VMA that a finding is about. `error_bytes` is this VMA's share.
struct FindingVma {
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  std::string name;  ///< bytes as the kernel wrote them; empty for an anonymous VMA
  std::uint64_t error_bytes = 0;
};

/// A number that users read is wrong (finding), or imprecise without hurting Rss or Pss (note).
struct Finding {
  std::string check;  ///< id of the relation: "I1" … "I8", "I12"
  Direction direction = Direction::deficit;
  std::string field;  ///< as the interface spells it: "Rss", "VmRSS", "N*"
  Interface interface = Interface::smaps;
  /// Set where two witnesses disagree and nothing else decides between them: `interface` and this
  /// one are then named as a pair, and neither is accused alone.
  std::optional<Interface> against;
  std::uint64_t reported_bytes = 0;
  Interval expected;              ///< bytes
  std::uint64_t error_bytes = 0;  ///< a lower bound; the very error iff `exact`
  bool exact = false;
  std::uint64_t brackets = 0;  ///< independent reads that all said the same
  Basis basis = Basis::series;
  std::optional<std::string> defect;  ///< id in config/known-defects.json
  std::optional<Cause> cause;
  std::uint64_t vmas_total = 0;
  std::vector<FindingVma> vmas;  ///< at most 64, the largest error first
};

inline constexpr std::size_t kMaxListedVmas = 64;

/// What the kernel said; nullopt where it could not be read.
struct ReportedMemory {
  std::optional<std::uint64_t> rss_bytes;         ///< sum over smaps
  std::optional<std::uint64_t> pss_bytes;         ///< sum over smaps
  std::optional<std::uint64_t> anon_huge_bytes;   ///< sum over smaps
  std::optional<std::uint64_t> status_rss_bytes;  ///< VmRSS
  std::optional<std::uint64_t> rollup_rss_bytes;
  std::optional<std::uint64_t> numa_maps_bytes;
};

/// What the page walk supports.
struct TrueMemory {
  Interval rss;                 ///< bytes
  std::optional<Interval> pss;  ///< bytes
  bool by_scan = false;         ///< source: pagemap_scan, else pagemap
};

/// One process, audited once: an element of `processes` in the JSON report.
struct ProcessReport {
  int pid = 0;
  std::uint64_t start_time_ticks = 0;
  std::string comm;  ///< bytes as the kernel wrote them
  Verdict verdict = Verdict::inconclusive;
  /// A stable word for machines ("coverage", "contended", "permission" …) and a sentence for
  /// people.
  std::string reason;
  std::string explanation;
  bool kernel_thread = false;
  ReportedMemory reported;
  std::optional<TrueMemory> truth;
  /// Bytes in which an error could hide: inconclusive iff 2 MiB or more (docs/method.md §10).
  std::uint64_t open_bytes = 0;
  std::uint64_t audited_bytes = 0;  ///< sum of the Size of the VMAs that were looked at
  std::uint64_t vmas = 0;
  std::uint64_t brackets = 0;
  std::uint64_t worst_suspect_steps = 0;  ///< how far the longest-lived suspicion of a series came
  std::uint64_t unknown_fields = 0;
  std::vector<Finding> findings;
  std::vector<Finding> notes;
};

/// What could hide less than this is no reason to call an audit inconclusive (docs/method.md §10).
inline constexpr std::uint64_t kOpenBytesThatMatter = 2u << 20;

/// Every error is in view: nothing large enough to be a finding could hide. Only then does "not
/// seen" mean "not there".
bool leaves_nothing_hidden(const ProcessReport& report);

/// The counts of the report. Kernel threads are counted apart and are no part of coverage.
struct Summary {
  std::uint64_t audited = 0;  ///< consistent + finding + inconclusive
  std::uint64_t consistent = 0;
  std::uint64_t finding = 0;
  std::uint64_t inconclusive = 0;
  std::uint64_t denied = 0;
  std::uint64_t vanished = 0;
  std::uint64_t skipped = 0;
  std::uint64_t kernel_threads = 0;

  void count(const ProcessReport& process);
  /// Conclusive share of the processes that were there throughout: vanished and kernel threads do
  /// not count, denied and inconclusive count against. 1 if there was none.
  [[nodiscard]] double coverage() const;
};

}  // namespace smaps_audit
