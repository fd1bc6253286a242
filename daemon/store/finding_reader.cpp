// SPDX-License-Identifier: Apache-2.0
#include "daemon/store/finding_reader.h"

#include <filesystem>
#include <system_error>

#include "daemon/store/aside.h"
#include "daemon/store/finding_rows.h"
#include "daemon/store/schema.h"

namespace smaps_audit::store {
namespace {

Result<SchemaState> state_of(const Result<Database>& database) {
  if (!database) return database.error();
  return look_at_schema(*database);
}

// A reader of a write-ahead log makes files beside it. Who may not, can still read a database that
// nobody has open: then there is no log.
bool may_be_read_alone(const Error& error, const std::string& path) {
  const bool hindered = error.code == ErrorCode::denied || error.code == ErrorCode::io;
  std::error_code ignored;
  return hindered && !std::filesystem::exists(path + "-wal", ignored);
}

}  // namespace

Result<FindingReader> FindingReader::open(const std::string& path) {
  Result<Database> database = Database::open(path, OpenMode::read_only);
  Result<SchemaState> state = state_of(database);
  if (!state && may_be_read_alone(state.error(), path)) {
    database = Database::open(path, OpenMode::immutable);
    state = state_of(database);
  }
  if (!state) return state.error();
  if (*state == SchemaState::empty) {
    return Error{.code = ErrorCode::gone, .what = "the store holds nothing yet", .file = path};
  }
  if (*state == SchemaState::old) {
    return Error{.code = ErrorCode::unsupported,
                 .what =
                     "it was written by an older smaps-auditd: the service brings it up to "
                     "date when it starts",
                 .file = path};
  }
  return FindingReader{*std::move(database)};
}

Result<std::vector<StoredFinding>> FindingReader::list(Which which) const {
  return select_findings(database_, which);
}

Result<std::optional<StoredFinding>> FindingReader::find(std::int64_t id) const {
  return select_finding(database_, id);
}

Result<std::optional<std::string>> FindingReader::report(std::int64_t id) const {
  return select_report(database_, id);
}

std::string FindingReader::path_of(const StoredCapture& capture) const {
  const std::filesystem::path database{database_.path()};
  return (database.parent_path() / kCapturesFolder / capture.name).string();
}

}  // namespace smaps_audit::store
