// SPDX-License-Identifier: Apache-2.0
#include "daemon/store/schema.h"

namespace smaps_audit::store {
namespace {

constexpr const char* kTables = R"(
CREATE TABLE report(
  id INTEGER PRIMARY KEY,
  json TEXT NOT NULL
) STRICT;
CREATE TABLE capture(
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  bytes INTEGER NOT NULL,
  taken_ns INTEGER NOT NULL
) STRICT;
CREATE TABLE finding(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  boot_id TEXT NOT NULL,
  pid INTEGER NOT NULL,
  start_time_ticks INTEGER NOT NULL,
  check_id TEXT NOT NULL,
  interface TEXT NOT NULL,
  field TEXT NOT NULL,
  comm TEXT NOT NULL,
  target_group TEXT NOT NULL,
  executable TEXT,
  direction TEXT NOT NULL,
  against TEXT,
  reported_bytes INTEGER NOT NULL,
  expected_low_bytes INTEGER NOT NULL,
  expected_high_bytes INTEGER NOT NULL,
  error_bytes INTEGER NOT NULL,
  least_error_bytes INTEGER NOT NULL,
  worst_error_bytes INTEGER NOT NULL,
  rss_low_bytes INTEGER,
  rss_high_bytes INTEGER,
  pss_low_bytes INTEGER,
  pss_high_bytes INTEGER,
  first_seen_ns INTEGER NOT NULL,
  last_seen_ns INTEGER NOT NULL,
  times_seen INTEGER NOT NULL,
  basis TEXT NOT NULL,
  brackets INTEGER NOT NULL,
  exact INTEGER NOT NULL,
  defect TEXT,
  cause TEXT,
  kernel_release TEXT NOT NULL,
  tool_version TEXT NOT NULL,
  report_id INTEGER REFERENCES report(id),
  capture_id INTEGER REFERENCES capture(id),
  resolved_ns INTEGER,
  resolved_why TEXT,
  UNIQUE(boot_id, pid, start_time_ticks, check_id, interface, field)
) STRICT;
CREATE INDEX finding_open ON finding(boot_id, pid, start_time_ticks) WHERE resolved_ns IS NULL;
CREATE INDEX finding_report ON finding(report_id);
CREATE INDEX finding_capture ON finding(capture_id);
CREATE TABLE card(
  boot_id TEXT PRIMARY KEY,
  taken_ns INTEGER NOT NULL,
  json TEXT NOT NULL
) STRICT;
CREATE TABLE probe(
  boot_id TEXT NOT NULL,
  name TEXT NOT NULL,
  outcome TEXT NOT NULL,
  reason TEXT NOT NULL,
  taken_ns INTEGER NOT NULL,
  PRIMARY KEY(boot_id, name)
) STRICT;
)";

// A report of version 1 stays with each of its findings. What it did not keep, the executable and
// the true Pss, stays unknown; its one error is both extremes.
constexpr const char* kFromVersion1 = R"(
INSERT INTO report(id, json) SELECT id, report_json FROM finding_v1 WHERE report_json <> '';
INSERT INTO capture(name, bytes, taken_ns)
  SELECT capture_name, max(capture_bytes), min(first_seen_seconds) * 1000000000
  FROM finding_v1 WHERE capture_name IS NOT NULL GROUP BY capture_name;
INSERT INTO finding(id, boot_id, pid, start_time_ticks, check_id, interface, field, comm,
    target_group, direction, reported_bytes, expected_low_bytes, expected_high_bytes, error_bytes,
    least_error_bytes, worst_error_bytes, rss_low_bytes, rss_high_bytes, first_seen_ns,
    last_seen_ns, times_seen, basis, brackets, exact, defect, cause, kernel_release, tool_version,
    report_id, capture_id, resolved_ns, resolved_why)
  SELECT id, boot_id, pid, start_time_ticks, check_id, interface, field, comm,
    target_group, direction, reported_bytes, expected_low_bytes, expected_high_bytes, error_bytes,
    error_bytes, error_bytes, rss_low_bytes, rss_high_bytes, first_seen_seconds * 1000000000,
    last_seen_seconds * 1000000000, times_seen, basis, brackets, exact, defect, cause,
    kernel_release, tool_version,
    CASE WHEN report_json <> '' THEN id END,
    (SELECT capture.id FROM capture WHERE capture.name = capture_name),
    resolved_seconds * 1000000000, resolved_why
  FROM finding_v1 ORDER BY id;
DROP TABLE finding_v1;
)";

// What was committed is on the disk; the log is kept short; half a MiB of pages in memory.
constexpr const char* kSettings = R"(
PRAGMA synchronous=FULL;
PRAGMA foreign_keys=ON;
PRAGMA journal_size_limit=1048576;
PRAGMA wal_autocheckpoint=256;
PRAGMA cache_size=-512;
)";

Result<Ok> run_all(const Database& database, std::initializer_list<const char*> scripts) {
  for (const char* const script : scripts) {
    const Result<Ok> done = database.execute(script);
    if (!done) return done.error();
  }
  return Ok{};
}

Result<Ok> make_tables(const Database& database, SchemaState state) {
  Result<Transaction> transaction = Transaction::begin(database);
  if (!transaction) return transaction.error();
  const std::string marks = "PRAGMA application_id=" + std::to_string(kApplicationId) +
                            ";PRAGMA user_version=" + std::to_string(kSchemaVersion);
  const Result<Ok> made = state == SchemaState::empty
                              ? run_all(database, {kTables, marks.c_str()})
                              : run_all(database, {"ALTER TABLE finding RENAME TO finding_v1",
                                                   kTables, kFromVersion1, marks.c_str()});
  if (!made) return made.error();
  return transaction->commit();
}

Error refusal(ErrorCode code, const Database& database, std::string what) {
  return Error{.code = code, .what = std::move(what), .file = database.path()};
}

}  // namespace

Result<SchemaState> look_at_schema(const Database& database) {
  const Result<std::int64_t> version = database.query_number("PRAGMA user_version");
  if (!version) return version.error();
  const Result<std::int64_t> application = database.query_number("PRAGMA application_id");
  if (!application) return application.error();
  const Result<std::int64_t> tables = database.query_number("SELECT count(*) FROM sqlite_schema");
  if (!tables) return tables.error();
  if (*version == 0 && *application == 0 && *tables == 0) return SchemaState::empty;
  if (*application != kApplicationId) {
    return refusal(ErrorCode::usage, database, "it is a database of another program");
  }
  if (*version > kSchemaVersion) {
    return refusal(ErrorCode::unsupported, database,
                   "it was written by a newer smaps-auditd (schema " + std::to_string(*version) +
                       ", this one knows up to " + std::to_string(kSchemaVersion) +
                       "); it was not touched");
  }
  if (*version < 1) {
    return refusal(ErrorCode::malformed, database, "it is a store without a version");
  }
  return *version == kSchemaVersion ? SchemaState::current : SchemaState::old;
}

Result<Ok> prepare_schema(const Database& database) {
  constexpr std::int64_t kIncremental = 2;
  const Result<SchemaState> state = look_at_schema(database);
  if (!state) return state.error();
  if (*state == SchemaState::empty) {
    // Holds if it comes before the first page, which WAL writes.
    const Result<Ok> set = database.execute("PRAGMA auto_vacuum=INCREMENTAL");
    if (!set) return set.error();
  }
  const Result<std::string> journal = database.query_text("PRAGMA journal_mode=WAL");
  if (!journal) return journal.error();
  if (*journal != "wal") {
    return refusal(ErrorCode::io, database, "this file system cannot hold a write-ahead log");
  }
  const Result<Ok> set = database.execute(kSettings);
  if (!set) return set.error();
  if (*state != SchemaState::current) {
    const Result<Ok> made = make_tables(database, *state);
    if (!made) return made.error();
  }
  const Result<std::int64_t> vacuum = database.query_number("PRAGMA auto_vacuum");
  if (!vacuum) return vacuum.error();
  if (*vacuum == kIncremental) return Ok{};
  // An older one is rewritten once. Where that fails (no room) it works on as it is.
  static_cast<void>(database.execute("PRAGMA auto_vacuum=INCREMENTAL; VACUUM"));
  return Ok{};
}

}  // namespace smaps_audit::store
