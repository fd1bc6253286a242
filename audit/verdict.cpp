// SPDX-License-Identifier: Apache-2.0
#include "audit/verdict.h"

namespace smaps_audit {

std::string_view name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::consistent: return "consistent";
    case Verdict::finding: return "finding";
    case Verdict::inconclusive: return "inconclusive";
    case Verdict::denied: return "denied";
    case Verdict::vanished: return "vanished";
    case Verdict::skipped: return "skipped";
  }
  return "unknown";
}

std::string_view name_of(Direction direction) {
  switch (direction) {
    case Direction::deficit: return "deficit";
    case Direction::excess: return "excess";
  }
  return "unknown";
}

std::string_view name_of(Interface interface) {
  switch (interface) {
    case Interface::smaps: return "smaps";
    case Interface::smaps_rollup: return "smaps_rollup";
    case Interface::numa_maps: return "numa_maps";
    case Interface::pagemap: return "pagemap";
    case Interface::pagemap_scan: return "pagemap_scan";
    case Interface::status: return "status";
    case Interface::statm: return "statm";
  }
  return "unknown";
}

std::string_view name_of(Basis basis) {
  switch (basis) {
    case Basis::asleep: return "asleep";
    case Basis::series: return "series";
    case Basis::same_record: return "same_record";
    case Basis::frozen: return "frozen";
  }
  return "unknown";
}

std::string_view name_of(Cause cause) {
  switch (cause) {
    case Cause::mprotect: return "mprotect";
    case Cause::numa_hint: return "numa_hint";
  }
  return "unknown";
}

void Summary::count(const ProcessReport& process) {
  if (process.kernel_thread) {
    ++kernel_threads;
    return;
  }
  switch (process.verdict) {
    case Verdict::consistent: ++audited, ++consistent; break;
    case Verdict::finding: ++audited, ++finding; break;
    case Verdict::inconclusive: ++audited, ++inconclusive; break;
    case Verdict::denied: ++denied; break;
    case Verdict::vanished: ++vanished; break;
    case Verdict::skipped: ++skipped; break;
  }
}

double Summary::coverage() const {
  const std::uint64_t conclusive = consistent + finding;
  const std::uint64_t there = conclusive + inconclusive + denied;
  if (there == 0) return 1.0;
  return static_cast<double>(conclusive) / static_cast<double>(there);
}

bool leaves_nothing_hidden(const ProcessReport& report) {
  return report.verdict == Verdict::consistent ||
         (report.verdict == Verdict::finding && report.open_bytes < kOpenBytesThatMatter);
}

}  // namespace smaps_audit
