// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "collect/host.h"
#include "collect/kernel_capabilities.h"
#include "tests/bench/bare_kernel_view.h"

namespace smaps_audit::bench {

/// Seconds of wall time of each round; all of one round were taken one after the other.
struct AuditTimes {
  std::vector<double> cat;         ///< open, read by 64 KiB to the end, close: smaps
  std::vector<double> bare;        ///< the calls of `check`, nothing parsed
  std::vector<double> check;       ///< audit_target()
  std::vector<double> check_json;  ///< and its report as JSON
  std::vector<double> parse;       ///< parse_smaps() alone, over the texts that `cat` read
  std::uint64_t text_bytes = 0;
  std::uint64_t calls = 0;
  std::string calls_by_kind;  ///< "4009 read, 4009 PAGEMAP_SCAN, …"
  bool same_outcome = true;   ///< the bare calls brought what the audit's own brought
  std::uint64_t inconclusive = 0;
  std::uint64_t findings = 0;
};

struct Bench {
  HostInfo host;
  KernelCapabilities capabilities;
  unsigned rounds = 15;
};
Result<Bench> prepare(unsigned rounds);

/// Audits the processes one after the other, `rounds` times. They must keep still.
Result<AuditTimes> measure(const Bench& bench, const std::vector<int>& pids);

}  // namespace smaps_audit::bench
