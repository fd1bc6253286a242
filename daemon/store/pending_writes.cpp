// SPDX-License-Identifier: Apache-2.0
#include "daemon/store/pending_writes.h"

#include <algorithm>

namespace smaps_audit::store {

bool is_ended_by(const PendingEnd& end, const FindingKey& key) {
  if (end.process.pid == 0) return key.process.boot_id != end.process.boot_id;
  return key.process == end.process && !end.except.contains(key);
}

bool PendingWrites::add(StoredFinding finding, const std::shared_ptr<const std::string>& report) {
  const auto found = findings_.find(finding.key);
  if (found == findings_.end() && findings_.size() >= kMostPending) return false;
  const bool room = has_room_for(report.get());
  if (found == findings_.end()) {
    const FindingKey key = finding.key;
    findings_.emplace(key, PendingFinding{std::move(finding), room ? report : nullptr});
    return true;
  }
  merge(found->second.finding, std::move(finding));
  if (room) found->second.report = report;
  return true;
}

bool PendingWrites::add(PendingEnd end) {
  for (auto& [key, pending] : findings_) {
    if (pending.finding.open() && is_ended_by(end, key)) pending.finding.resolved = end.resolved;
  }
  const bool is_known = std::any_of(ends_.begin(), ends_.end(), [&](const PendingEnd& earlier) {
    return earlier.process == end.process && earlier.except == end.except;
  });
  if (is_known) return true;
  if (ends_.size() >= kMostPending) return false;
  ends_.push_back(std::move(end));
  return true;
}

void PendingWrites::clear() {
  ends_.clear();
  findings_.clear();
}

bool PendingWrites::has_room_for(const std::string* report) const {
  if (report == nullptr) return false;
  std::set<const std::string*> reports{report};
  for (const auto& [key, pending] : findings_) {
    if (pending.report != nullptr) reports.insert(pending.report.get());
  }
  std::size_t bytes = 0;
  for (const std::string* kept : reports) bytes += kept->size();
  return bytes <= kMostPendingReportBytes;
}

}  // namespace smaps_audit::store
