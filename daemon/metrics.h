// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "daemon/snapshot.h"

namespace smaps_audit::service {

/// What the process itself costs; from getrusage() and /proc/self.
struct ProcessCost {
  double cpu_seconds = 0;
  std::uint64_t resident_bytes = 0;
  std::uint64_t virtual_bytes = 0;
  std::uint64_t open_fds = 0;
  std::uint64_t max_fds = 0;
  std::uint64_t threads = 0;
  double start_time_seconds = 0;
};
ProcessCost read_own_cost();

/// What the web server counted; by path class and status code.
struct WebTotals {
  std::map<std::pair<std::string, unsigned>, std::uint64_t> requests;
  std::map<std::string, std::uint64_t> refused;  ///< by reason
};

/// The page of /metrics in Prometheus' text format, from a snapshot alone. What is unknown has no
/// sample; every label value that is known beforehand has one from the start, 0 if need be.
std::string metrics_text(const Snapshot& snapshot, const ProcessCost& cost, const WebTotals& web);

/// The part of it that one run of `smaps-audit check` knows, for node_exporter's textfile
/// collector: no counter, and nothing of the process that writes it (node_exporter has those names
/// itself).
std::string check_metrics_text(const Snapshot& snapshot);

/// docs/metrics.md: the same table, for people.
std::string metrics_markdown();

/// Its Content-Type.
inline constexpr const char* kMetricsContentType = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace smaps_audit::service
