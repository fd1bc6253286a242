// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "daemon/store/finding_rows.h"
#include "daemon/store/store.h"

namespace smaps_audit::store {
namespace {

Result<std::uint64_t> used_bytes(const Database& database) {
  const Result<std::int64_t> bytes = database.query_number(
      "SELECT (page_count - freelist_count) * page_size "
      "FROM pragma_page_count, pragma_freelist_count, pragma_page_size");
  if (!bytes) return bytes.error();
  return static_cast<std::uint64_t>(std::max<std::int64_t>(*bytes, 0));
}

}  // namespace

Result<Tidied> Store::tidy(WallTime now) {
  Recorded recorded;
  if (!pending_.empty()) write_pending(now, recorded);
  if (!pending_.empty()) return *health_.trouble;
  Tidied tidied;
  const Result<Ok> done = guarded(now, [&] { return tidy_once(now, tidied); });
  if (!done) {
    ++health_.failed_writes;
    health_.trouble = done.error();
    return done.error();
  }
  health_.trouble.reset();
  tidied.resolved = std::move(recorded.resolved);
  return tidied;
}

Result<Ok> Store::tidy_once(WallTime now, Tidied& total) {
  // The bytes of a row are estimated: what is still too much goes in the next round.
  constexpr int kMostRounds = 8;
  for (int round = 0; round < kMostRounds; ++round) {
    Result<std::vector<RetentionRow>> rows = select_retention_rows(*database_);
    if (!rows) return rows.error();
    const Result<std::uint64_t> bytes = used_bytes(*database_);
    if (!bytes) return bytes.error();
    const RetentionPlan plan = plan_retention(*std::move(rows), options_.limits, now, *bytes);
    if (plan.empty()) break;
    const Result<Ok> deleted = delete_planned(plan, total);
    if (!deleted) return deleted.error();
  }
  return database_->execute("PRAGMA incremental_vacuum; PRAGMA wal_checkpoint(TRUNCATE)");
}

// Rows first: a kill in between leaves files of which no row tells, which the next start removes.
Result<Ok> Store::delete_planned(const RetentionPlan& plan, Tidied& total) {
  Result<Transaction> transaction = Transaction::begin(*database_);
  if (!transaction) return transaction.error();
  for (const std::int64_t id : plan.findings) {
    const Result<Ok> deleted = delete_finding(*database_, id);
    if (!deleted) return deleted.error();
  }
  for (const std::string& name : plan.captures) {
    const Result<Ok> deleted = delete_capture(*database_, name);
    if (!deleted) return deleted.error();
  }
  Result<std::vector<std::string>> files = delete_unreferenced(*database_);
  if (!files) return files.error();
  const Result<Ok> committed = transaction->commit();
  if (!committed) return committed.error();
  files->insert(files->end(), plan.captures.begin(), plan.captures.end());
  remove_files(*files);
  total.findings += plan.findings.size();
  total.captures += files->size();
  return Ok{};
}

// One that cannot be removed is an orphan at the next start.
void Store::remove_files(const std::vector<std::string>& captures) {
  for (const std::string& name : captures) static_cast<void>(shelf_->remove(name));
}

}  // namespace smaps_audit::store
