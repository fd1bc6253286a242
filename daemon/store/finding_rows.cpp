// SPDX-License-Identifier: Apache-2.0
#include "daemon/store/finding_rows.h"

#include <array>

#include "base/find_named.h"

namespace smaps_audit::store {
namespace {

constexpr std::string_view kSelect =
    "SELECT f.id, boot_id, pid, start_time_ticks, check_id, interface, field, comm, target_group, "
    "executable, direction, against, reported_bytes, expected_low_bytes, expected_high_bytes, "
    "error_bytes, least_error_bytes, worst_error_bytes, rss_low_bytes, rss_high_bytes, "
    "pss_low_bytes, pss_high_bytes, first_seen_ns, last_seen_ns, times_seen, basis, brackets, "
    "exact, defect, cause, kernel_release, tool_version, resolved_ns, resolved_why, c.name, "
    "c.bytes, c.taken_ns FROM finding f LEFT JOIN capture c ON c.id = f.capture_id ";

std::string select_where(std::string_view condition) {
  return std::string{kSelect} + std::string{condition};
}

template <class Enum, std::size_t N>
bool read_word(const std::string& word, const std::array<Enum, N>& values, Enum& into) {
  const auto value = find_named(values, word);
  into = value.value_or(into);
  return value.has_value();
}

template <class Enum, std::size_t N>
bool read_word(const std::optional<std::string>& word, const std::array<Enum, N>& values,
               std::optional<Enum>& into) {
  if (!word) return true;
  return read_word(*word, values, into.emplace());
}

std::optional<Interval> read_interval(const Statement& row, int low) {
  const std::optional<std::uint64_t> from = row.optional_number(low);
  const std::optional<std::uint64_t> to = row.optional_number(low + 1);
  if (!from || !to || *from > *to) return std::nullopt;
  return Interval{*from, *to};
}

WallTime read_time(const Statement& row, int column) { return WallTime{row.integer(column)}; }

void read_numbers(const Statement& row, StoredFinding& finding) {
  finding.id = row.integer(0);
  finding.key.process = {row.text(1), static_cast<int>(row.integer(2)), row.number(3)};
  finding.reported_bytes = row.number(12);
  finding.expected = {row.number(13), row.number(14)};
  finding.error_bytes = row.number(15);
  finding.least_error_bytes = row.number(16);
  finding.worst_error_bytes = row.number(17);
  finding.true_rss = read_interval(row, 18);
  finding.true_pss = read_interval(row, 20);
  finding.first_seen = read_time(row, 22);
  finding.last_seen = read_time(row, 23);
  finding.times_seen = row.number(24);
  finding.brackets = row.number(26);
  finding.exact = row.integer(27) != 0;
  if (!row.is_null(34)) {
    finding.capture = StoredCapture{row.text(34), row.number(35), read_time(row, 36)};
  }
}

Result<StoredFinding> read_row(const Statement& row) {
  StoredFinding finding;
  read_numbers(row, finding);
  finding.key.check = row.text(4);
  finding.key.field = row.text(6);
  finding.comm = row.text(7);
  finding.group = row.text(8);
  finding.executable = row.optional_text(9);
  finding.defect = row.optional_text(28);
  finding.kernel_release = row.text(30);
  finding.tool_version = row.text(31);
  bool known = read_word(row.text(5), kInterfaces, finding.key.interface) &&
               read_word(row.text(10), kDirections, finding.direction) &&
               read_word(row.optional_text(11), kInterfaces, finding.against) &&
               read_word(row.text(25), kBases, finding.basis) &&
               read_word(row.optional_text(29), kCauses, finding.cause);
  if (!row.is_null(32)) {
    Resolved& resolved = finding.resolved.emplace();
    resolved.when = read_time(row, 32);
    known = known && read_word(row.text(33), kResolutions, resolved.why);
  }
  if (known) return finding;
  return Error{.code = ErrorCode::malformed,
               .what = "finding " + std::to_string(finding.id) + " holds a word that is none"};
}

Result<std::vector<StoredFinding>> read_all(Result<Statement> statement) {
  if (!statement) return statement.error();
  std::vector<StoredFinding> findings;
  while (true) {
    const Result<bool> row = statement->step();
    if (!row) return row.error();
    if (!*row) return findings;
    Result<StoredFinding> finding = read_row(*statement);
    if (!finding) return finding.error();
    findings.push_back(*std::move(finding));
  }
}

Result<std::optional<StoredFinding>> read_one(Result<Statement> statement) {
  Result<std::vector<StoredFinding>> findings = read_all(std::move(statement));
  if (!findings) return findings.error();
  if (findings->empty()) return std::optional<StoredFinding>{};
  return std::optional{std::move(findings->front())};
}

template <class... Values>
Result<Statement> prepared(const Database& database, std::string_view sql,
                           const Values&... values) {
  Result<Statement> statement = database.prepare(sql);
  int index = 0;
  if (statement) (statement->bind(++index, values), ...);
  return statement;
}

template <class... Values>
Result<Ok> run(const Database& database, std::string_view sql, const Values&... values) {
  Result<Statement> statement = prepared(database, sql, values...);
  if (!statement) return statement.error();
  return statement->run();
}

// The columns that every writing sets, in the order of kUpdate and kInsert.
void bind_values(Statement& statement, const StoredFinding& finding) {
  const auto time = [](WallTime value) { return std::int64_t{value.count()}; };
  const auto low = [](const std::optional<Interval>& interval) {
    return interval ? std::optional{interval->low} : std::nullopt;
  };
  const auto high = [](const std::optional<Interval>& interval) {
    return interval ? std::optional{interval->high} : std::nullopt;
  };
  const auto word = [](const auto& value) {
    return value ? std::optional{name_of(*value)} : std::nullopt;
  };
  int index = 0;
  const auto next = [&](const auto& value) { statement.bind(++index, value); };
  next(finding.comm), next(finding.group), next(finding.executable);
  next(name_of(finding.direction)), next(word(finding.against));
  next(finding.reported_bytes), next(finding.expected.low), next(finding.expected.high);
  next(finding.error_bytes), next(finding.least_error_bytes), next(finding.worst_error_bytes);
  next(low(finding.true_rss)), next(high(finding.true_rss));
  next(low(finding.true_pss)), next(high(finding.true_pss));
  next(time(finding.first_seen)), next(time(finding.last_seen)), next(finding.times_seen);
  next(name_of(finding.basis)), next(finding.brackets), next(std::int64_t{finding.exact});
  next(finding.defect), next(word(finding.cause));
  next(finding.kernel_release), next(finding.tool_version);
  const auto& resolved = finding.resolved;
  next(resolved ? std::optional{time(resolved->when)} : std::nullopt);
  next(resolved ? std::optional{name_of(resolved->why)} : std::nullopt);
}
constexpr int kValues = 27;

constexpr std::string_view kUpdate =
    "UPDATE finding SET comm=?1, target_group=?2, executable=?3, direction=?4, against=?5, "
    "reported_bytes=?6, expected_low_bytes=?7, expected_high_bytes=?8, error_bytes=?9, "
    "least_error_bytes=?10, worst_error_bytes=?11, rss_low_bytes=?12, rss_high_bytes=?13, "
    "pss_low_bytes=?14, pss_high_bytes=?15, first_seen_ns=?16, last_seen_ns=?17, times_seen=?18, "
    "basis=?19, brackets=?20, exact=?21, defect=?22, cause=?23, kernel_release=?24, "
    "tool_version=?25, resolved_ns=?26, resolved_why=?27, report_id=coalesce(?28, report_id), "
    "capture_id=?29 WHERE id=?30";

constexpr std::string_view kInsert =
    "INSERT INTO finding(comm, target_group, executable, direction, against, reported_bytes, "
    "expected_low_bytes, expected_high_bytes, error_bytes, least_error_bytes, worst_error_bytes, "
    "rss_low_bytes, rss_high_bytes, pss_low_bytes, pss_high_bytes, first_seen_ns, last_seen_ns, "
    "times_seen, basis, brackets, exact, defect, cause, kernel_release, tool_version, resolved_ns, "
    "resolved_why, report_id, capture_id, boot_id, pid, start_time_ticks, check_id, interface, "
    "field) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, "
    "?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34, ?35)";

}  // namespace

Result<std::optional<StoredFinding>> select_finding(const Database& database,
                                                    const FindingKey& key) {
  return read_one(prepared(database,
                           select_where("WHERE boot_id=?1 AND pid=?2 AND start_time_ticks=?3 AND "
                                        "check_id=?4 AND interface=?5 AND field=?6"),
                           key.process.boot_id, std::int64_t{key.process.pid},
                           key.process.start_time_ticks, key.check, name_of(key.interface),
                           key.field));
}

Result<std::optional<StoredFinding>> select_finding(const Database& database, std::int64_t id) {
  return read_one(prepared(database, select_where("WHERE f.id=?1"), id));
}

Result<std::vector<StoredFinding>> select_findings(const Database& database, Which which) {
  const std::string_view condition = which == Which::open ? "WHERE resolved_ns IS NULL " : "";
  return read_all(database.prepare(select_where(
      std::string{condition} + "ORDER BY resolved_ns IS NOT NULL, last_seen_ns DESC, f.id DESC")));
}

Result<std::vector<StoredFinding>> select_open_of(const Database& database,
                                                  const ProcessKey& process) {
  return read_all(prepared(database,
                           select_where("WHERE boot_id=?1 AND pid=?2 AND start_time_ticks=?3 AND "
                                        "resolved_ns IS NULL ORDER BY f.id"),
                           process.boot_id, std::int64_t{process.pid}, process.start_time_ticks));
}

Result<std::vector<StoredFinding>> select_open_of_other_boots(const Database& database,
                                                              const std::string& boot_id) {
  return read_all(prepared(
      database, select_where("WHERE boot_id<>?1 AND resolved_ns IS NULL ORDER BY f.id"), boot_id));
}

Result<std::vector<RetentionRow>> select_retention_rows(const Database& database) {
  Result<Statement> statement = database.prepare(
      "SELECT f.id, resolved_ns, last_seen_ns, report_id, length(json), name, bytes "
      "FROM finding f LEFT JOIN report r ON r.id = f.report_id "
      "LEFT JOIN capture c ON c.id = f.capture_id");
  if (!statement) return statement.error();
  std::vector<RetentionRow> rows;
  while (true) {
    const Result<bool> row = statement->step();
    if (!row) return row.error();
    if (!*row) return rows;
    const auto time = [&](int column) {
      return statement->is_null(column) ? std::nullopt
                                        : std::optional{read_time(*statement, column)};
    };
    const auto report = [&] {
      return statement->is_null(3) ? std::nullopt : std::optional{statement->integer(3)};
    };
    rows.push_back({.id = statement->integer(0),
                    .resolved = time(1),
                    .last_seen = read_time(*statement, 2),
                    .report_id = report(),
                    .report_bytes = statement->number(4),
                    .capture = statement->optional_text(5),
                    .capture_bytes = statement->number(6)});
  }
}

Result<std::optional<std::string>> select_report(const Database& database, std::int64_t id) {
  Result<Statement> statement = prepared(
      database, "SELECT json FROM finding f JOIN report r ON r.id = f.report_id WHERE f.id=?1", id);
  if (!statement) return statement.error();
  const Result<bool> row = statement->step();
  if (!row) return row.error();
  if (!*row) return std::optional<std::string>{};
  return std::optional{statement->text(0)};
}

Result<std::int64_t> insert_report(const Database& database, const std::string& json) {
  const Result<Ok> inserted = run(database, "INSERT INTO report(json) VALUES(?1)", json);
  if (!inserted) return inserted.error();
  return database.last_insert_id();
}

Result<std::int64_t> insert_capture(const Database& database, const StoredCapture& capture) {
  Result<Statement> statement =
      prepared(database,
               "INSERT INTO capture(name, bytes, taken_ns) VALUES(?1, ?2, ?3) "
               "ON CONFLICT(name) DO UPDATE SET bytes=excluded.bytes RETURNING id",
               capture.name, capture.bytes, std::int64_t{capture.taken.count()});
  if (!statement) return statement.error();
  const Result<bool> row = statement->step();
  if (!row) return row.error();
  return statement->integer(0);
}

Result<std::int64_t> write_finding(const Database& database, const StoredFinding& finding,
                                   std::optional<std::int64_t> report_id,
                                   std::optional<std::int64_t> capture_id) {
  const bool fresh = finding.id == 0;
  Result<Statement> statement = database.prepare(fresh ? kInsert : kUpdate);
  if (!statement) return statement.error();
  bind_values(*statement, finding);
  statement->bind(kValues + 1, report_id).bind(kValues + 2, capture_id);
  constexpr int kNext = kValues + 3;
  if (fresh) {
    const FindingKey& key = finding.key;
    statement->bind(kNext, key.process.boot_id)
        .bind(kNext + 1, std::int64_t{key.process.pid})
        .bind(kNext + 2, key.process.start_time_ticks)
        .bind(kNext + 3, key.check)
        .bind(kNext + 4, name_of(key.interface))
        .bind(kNext + 5, key.field);
  } else {
    statement->bind(kNext, finding.id);
  }
  const Result<Ok> written = statement->run();
  if (!written) return written.error();
  return fresh ? database.last_insert_id() : finding.id;
}

Result<Ok> write_resolution(const Database& database, std::int64_t id, const Resolved& resolved) {
  return run(database, "UPDATE finding SET resolved_ns=?1, resolved_why=?2 WHERE id=?3",
             std::int64_t{resolved.when.count()}, name_of(resolved.why), id);
}

Result<Ok> delete_finding(const Database& database, std::int64_t id) {
  return run(database, "DELETE FROM finding WHERE id=?1", id);
}

Result<std::vector<std::string>> delete_unreferenced(const Database& database) {
  const Result<Ok> reports = database.execute(
      "DELETE FROM report WHERE NOT EXISTS "
      "(SELECT 1 FROM finding WHERE report_id = report.id)");
  if (!reports) return reports.error();
  Result<Statement> captures = database.prepare(
      "DELETE FROM capture WHERE NOT EXISTS "
      "(SELECT 1 FROM finding WHERE capture_id = capture.id) RETURNING name");
  if (!captures) return captures.error();
  std::vector<std::string> names;
  while (true) {
    const Result<bool> row = captures->step();
    if (!row) return row.error();
    if (!*row) return names;
    names.push_back(captures->text(0));
  }
}

Result<std::vector<StoredCapture>> select_captures(const Database& database) {
  Result<Statement> statement =
      database.prepare("SELECT name, bytes, taken_ns FROM capture ORDER BY taken_ns, name");
  if (!statement) return statement.error();
  std::vector<StoredCapture> captures;
  while (true) {
    const Result<bool> row = statement->step();
    if (!row) return row.error();
    if (!*row) return captures;
    captures.push_back({statement->text(0), statement->number(1), read_time(*statement, 2)});
  }
}

Result<Ok> delete_capture(const Database& database, const std::string& name) {
  const Result<Ok> forgotten = run(database,
                                   "UPDATE finding SET capture_id=NULL WHERE capture_id="
                                   "(SELECT id FROM capture WHERE name=?1)",
                                   name);
  if (!forgotten) return forgotten.error();
  return run(database, "DELETE FROM capture WHERE name=?1", name);
}

}  // namespace smaps_audit::store
