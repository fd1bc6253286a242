// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "daemon/store/stored_finding.h"

/// Private to the store: what is to be written, in memory, merged as the database would merge it.
/// Normally that is one audit for as long as its transaction takes; with a full disk it is the
/// queue.
namespace smaps_audit::store {

/// Most findings, and most ends, that wait.
inline constexpr std::size_t kMostPending = 1024;
/// Most bytes of reports that wait; beyond them a finding waits without its report.
inline constexpr std::size_t kMostPendingReportBytes = std::size_t{8} << 20;

/// Open findings that are to be closed in the database.
struct PendingEnd {
  ProcessKey process;           ///< pid 0: every process of another boot than `process.boot_id`
  std::set<FindingKey> except;  ///< what the audit did show
  Resolved resolved;
};

struct PendingFinding {
  StoredFinding finding;
  std::shared_ptr<const std::string> report;  ///< nullptr: none
};

class PendingWrites {
 public:
  /// false: there was no room for it.
  bool add(StoredFinding finding, const std::shared_ptr<const std::string>& report);
  bool add(PendingEnd end);

  /// Ends come first: a finding that waits has ended, or not, by itself.
  [[nodiscard]] const std::vector<PendingEnd>& ends() const { return ends_; }
  [[nodiscard]] const std::map<FindingKey, PendingFinding>& findings() const { return findings_; }
  [[nodiscard]] bool empty() const { return ends_.empty() && findings_.empty(); }
  void clear();

 private:
  [[nodiscard]] bool has_room_for(const std::string* report) const;

  std::vector<PendingEnd> ends_;
  std::map<FindingKey, PendingFinding> findings_;
};

/// Is the finding among those that end?
bool is_ended_by(const PendingEnd& end, const FindingKey& key);

}  // namespace smaps_audit::store
