// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "audit/process_audit.h"
#include "collect/page_pass.h"
#include "collect/sample_sink.h"

/// What a kernel would say of a made-up process, as values: the tests of audit/ do no I/O.
namespace smaps_audit::evidence {

inline constexpr PageGeometry kPages{};
inline constexpr std::uint64_t kPage = 4096;
inline constexpr std::uint64_t kHuge = 2097152;
inline constexpr std::uint8_t kOwned = page_state::kPresent | page_state::kExclusive;

/// A record whose numbers agree with one another: all of `rss` is private, dirty and anonymous.
SmapsRecord record_of(Range bytes, std::uint64_t rss, std::string_view name = "");

/// A rollup whose numbers agree with one another.
SmapsRecord rollup_of(std::uint64_t rss);

/// A pass that covers `covered` (bytes) and found these runs (page numbers).
PagePass pass_of(const std::vector<Range>& covered, const std::vector<PageRun>& runs,
                 bool by_scan = false);

/// The pages [first, last) of a range of bytes, counted from its start.
PageRun pages_in(Range bytes, std::uint64_t first, std::uint64_t last, std::uint8_t state = kOwned);

/// One VMA as its witnesses tell of it.
struct SampleVma {
  Range range;                                ///< bytes
  std::vector<PageRun> runs;                  ///< as the walk shows them
  std::optional<std::vector<PageRun>> plain;  ///< as the plain reads do; the same if absent
  std::uint64_t rss = 0;                      ///< bytes, smaps
  std::optional<std::uint64_t> numa_pages;    ///< nullopt: no line in numa_maps
  std::string name;
  bool accessible = true;
  bool in_smaps = true;
  bool covered = true;                       ///< by the passes of the screen
  std::uint32_t most_mappings = kAnyNumber;  ///< of pages that are not exclusive
  std::function<void(SmapsRecord&)> edit;    ///< a last word on the record
};

/// The whole VMA resident, and every witness says so.
SampleVma resident_vma(std::uint64_t start, std::uint64_t bytes);

enum class Moment : std::uint8_t {
  sweep_pass,
  sweep_smaps,
  listing,
  pass,
  smaps,
  numa,
  rollup,
  status
};

/// A process that is fed to a ProcessAudit in the order in which a Sampler would.
class SampleProcess {
 public:
  std::vector<SampleVma> vmas;
  bool scan = false;  ///< the walk is PAGEMAP_SCAN, plain reads beside it
  bool has_numa = false;
  bool has_rollup = false;
  bool asleep = false;
  bool mm_shared = false;
  std::optional<std::uint64_t> hardware_corrupted;  ///< of the host, bytes
  std::uint64_t faults = 0;                         ///< of every bracket
  std::uint64_t threads = 1;
  std::optional<std::uint64_t> rollup_rss;  ///< else the sum over smaps
  std::optional<std::uint64_t> vm_rss;      ///< else what the walk finds
  std::optional<std::uint64_t> statm_rss;   ///< else vm_rss
  /// Runs before every read of that kind: the process or the kernel's tale may change.
  std::function<void(SampleProcess&, Moment)> before;
  /// Decides which comes first in a step; by default reads and passes take turns.
  std::function<bool(unsigned step)> reads_first = [](unsigned step) { return step % 2 == 0; };
  KernelCapabilities capabilities;
  ProcessAuditOptions options;

  SampleProcess() { capabilities.rss_counters = RssCounterError::exact; }

  /// Screen, series, verdict.
  ProcessReport audit();
  /// Steps of every series of the last audit().
  std::vector<unsigned> series_steps;

 private:
  void sweep(ProcessAudit& audit);
  unsigned series(ProcessAudit& audit, const SeriesPlan& plan);
  void feed_pass(ProcessAudit& audit);
  void feed_reads(ProcessAudit& audit, const SeriesPlan& plan);
  void happens(Moment moment);
  [[nodiscard]] PagePass pass(bool plain, bool of_the_screen) const;
  [[nodiscard]] SmapsText smaps() const;
  [[nodiscard]] NumaMapsText numa() const;
  [[nodiscard]] std::uint64_t walked() const;
  [[nodiscard]] std::uint64_t summed() const;
  [[nodiscard]] StatusNumbers status() const;
  [[nodiscard]] ProcStatm statm() const;
};

/// The only one of smaps about Rss; the others of smaps must be what K01 takes with it.
Finding k01_finding(const ProcessReport& report);

/// The only finding there is; a test failure and an empty one otherwise.
Finding only_finding(const ProcessReport& report);

}  // namespace smaps_audit::evidence
