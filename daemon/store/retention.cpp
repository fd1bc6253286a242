// SPDX-License-Identifier: Apache-2.0
#include "daemon/store/retention.h"

#include <algorithm>
#include <map>
#include <span>
#include <tuple>

namespace smaps_audit::store {
namespace {

// Of one row with its entries in the indices, roughly: what is measured decides in the end.
constexpr std::uint64_t kRowBytes = 700;

// Resolved ones first, by when they were; open ones by when they were last seen.
bool goes_before(const RetentionRow& a, const RetentionRow& b) {
  const auto rank = [](const RetentionRow& row) {
    return std::tuple{!row.resolved.has_value(), row.resolved.value_or(row.last_seen), row.id};
  };
  return rank(a) < rank(b);
}

// Rows in the order in which they go; returns how many of them do.
std::size_t findings_to_drop(std::span<const RetentionRow> rows, const Retention& limits,
                             WallTime now, std::uint64_t bytes) {
  std::map<std::int64_t, std::uint64_t> references;
  for (const RetentionRow& row : rows) {
    if (row.report_id) ++references[*row.report_id];
  }
  std::size_t dropped = 0;
  for (const RetentionRow& row : rows) {
    const bool too_old = row.resolved && now - *row.resolved > limits.max_age;
    const bool too_much = rows.size() - dropped > limits.max_count || bytes > limits.max_bytes;
    if (!too_old && !too_much) break;
    ++dropped;
    std::uint64_t freed = kRowBytes;
    if (row.report_id && --references[*row.report_id] == 0) freed += row.report_bytes;
    bytes -= std::min(bytes, freed);
  }
  return dropped;
}

// Each capture once, at the last of its findings: in the order in which they go.
std::vector<const RetentionRow*> captures_of(std::span<const RetentionRow> rows) {
  std::map<std::string, const RetentionRow*> last;
  for (const RetentionRow& row : rows) {
    if (row.capture) last[*row.capture] = &row;
  }
  std::vector<const RetentionRow*> captures;
  for (const RetentionRow& row : rows) {
    if (row.capture && last[*row.capture] == &row) captures.push_back(&row);
  }
  return captures;
}

}  // namespace

RetentionPlan plan_retention(std::vector<RetentionRow> rows, const RetentionLimits& limits,
                             WallTime now, std::uint64_t database_bytes) {
  std::sort(rows.begin(), rows.end(), goes_before);
  RetentionPlan plan;
  const std::size_t dropped = findings_to_drop(rows, limits.findings, now, database_bytes);
  for (std::size_t i = 0; i < dropped; ++i) plan.findings.push_back(rows[i].id);

  const std::vector<const RetentionRow*> captures = captures_of(std::span{rows}.subspan(dropped));
  std::uint64_t bytes = 0;
  for (const RetentionRow* row : captures) bytes += row->capture_bytes;
  for (std::size_t i = 0; i < captures.size(); ++i) {
    const RetentionRow& row = *captures[i];
    const bool too_old = row.resolved && now - *row.resolved > limits.captures.max_age;
    const bool too_much =
        captures.size() - i > limits.captures.max_count || bytes > limits.captures.max_bytes;
    if (!too_old && !too_much) break;
    plan.captures.push_back(*row.capture);
    bytes -= std::min(bytes, row.capture_bytes);
  }
  return plan;
}

}  // namespace smaps_audit::store
