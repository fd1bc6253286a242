// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <filesystem>

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
  failed_at_.reset();
  if (!pending_.empty()) write_pending(now, recorded);
  if (!pending_.empty()) return *health_.trouble;
  Tidied tidied;
  const Result<Ok> done = guarded(now, [&] { return tidy_once(now, tidied); });
  if (!done) {
    failed(done.error(), now);
    return done.error();
  }
  succeeded();
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

Result<StoreSize> Store::size(WallTime now) {
  StoreSize size;
  const Result<Ok> measured = guarded(now, [&] { return measure(size); });
  if (!measured) return measured.error();
  return size;
}

Result<Ok> Store::measure(StoreSize& size) {
  struct Number {
    std::uint64_t StoreSize::*into;
    std::string_view sql;
  };
  constexpr std::array kNumbers{
      Number{&StoreSize::findings, "SELECT count(*) FROM finding"},
      Number{&StoreSize::open_findings, "SELECT count(*) FROM finding WHERE resolved_ns IS NULL"},
      Number{&StoreSize::captures, "SELECT count(*) FROM capture"},
      Number{&StoreSize::capture_bytes, "SELECT sum(bytes) FROM capture"},
  };
  for (const Number& number : kNumbers) {
    const Result<std::int64_t> value = database_->query_number(number.sql);
    if (!value) return value.error();
    size.*number.into = static_cast<std::uint64_t>(std::max<std::int64_t>(*value, 0));
  }
  size.database_bytes = 0;
  for (const char* suffix : {"", "-wal", "-shm"}) {
    std::error_code error;
    const std::uintmax_t bytes = std::filesystem::file_size(database_path() + suffix, error);
    if (!error) size.database_bytes += bytes;
  }
  return Ok{};
}

// One that cannot be removed is an orphan at the next start.
void Store::remove_files(const std::vector<std::string>& captures) {
  for (const std::string& name : captures) static_cast<void>(shelf_->remove(name));
}

}  // namespace smaps_audit::store
