// SPDX-License-Identifier: Apache-2.0
#include "daemon/store/sqlite.h"

#include <fcntl.h>
#include <sqlite3.h>

#include <cerrno>
#include <limits>

#include "base/unique_fd.h"

namespace smaps_audit::store {
namespace {

constexpr int kBusyMilliseconds = 2000;
constexpr mode_t kFileMode = 0640;

ErrorCode code_of(int sqlite_code, int errno_value) {
  switch (sqlite_code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
    case SQLITE_MISMATCH: return ErrorCode::malformed;
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_READONLY: return ErrorCode::denied;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return ErrorCode::deadline;
    case SQLITE_CANTOPEN: return error_from_errno(errno_value, "").code;
    default: return ErrorCode::io;
  }
}

Error sqlite_error(sqlite3* connection, int code, const std::string& file) {
  int errno_value = 0;
  const int primary = code & 0xff;
  // Of other codes it is left over from something else.
  if (primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN) {
    errno_value = sqlite3_system_errno(connection);
  }
  if (primary == SQLITE_FULL) errno_value = ENOSPC;
  return Error{.code = code_of(code, errno_value),
               .what = sqlite3_errmsg(connection),
               .file = file,
               .errno_value = errno_value};
}

// SQLite would make it readable for everyone. One that is there is not opened: closing it would
// drop the locks of every other connection of this process (POSIX).
Result<Ok> make_file(const std::string& path) {
  constexpr int kFlags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY;
  const UniqueFd file{::open(path.c_str(), kFlags, kFileMode)};
  if (file || errno == EEXIST) return Ok{};
  return error_from_errno(errno, "the database cannot be made", path);
}

// As a file: URI: whatever stands in the path is part of it.
std::string uri_of(const std::string& path, std::string_view query) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string uri = "file:";
  for (const char letter : path) {
    const auto byte = static_cast<unsigned char>(letter);
    if (byte > ' ' && byte < 0x7f && letter != '%' && letter != '?' && letter != '#') {
      uri += letter;
    } else {
      uri += '%';
      uri += kHex[byte >> 4U];
      uri += kHex[byte & 15U];
    }
  }
  return uri + std::string{query};
}

}  // namespace

void Statement::Finalizer::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

void Statement::remember(int code) {
  if (bind_code_ == SQLITE_OK) bind_code_ = code;
}

Statement& Statement::bind(int index, std::int64_t value) {
  remember(sqlite3_bind_int64(statement_.get(), index, value));
  return *this;
}

Statement& Statement::bind(int index, std::uint64_t value) {
  constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();
  return bind(index, static_cast<std::int64_t>(std::min(value, kMost)));
}

Statement& Statement::bind(int index, std::string_view text) {
  remember(sqlite3_bind_text64(statement_.get(), index, text.empty() ? "" : text.data(),
                               text.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
  return *this;
}

Statement& Statement::bind_null(int index) {
  remember(sqlite3_bind_null(statement_.get(), index));
  return *this;
}

Result<bool> Statement::step() {
  sqlite3* const connection = sqlite3_db_handle(statement_.get());
  if (bind_code_ != SQLITE_OK) return sqlite_error(connection, bind_code_, file_);
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return sqlite_error(connection, sqlite3_extended_errcode(connection), file_);
}

Result<Ok> Statement::run() {
  const Result<bool> stepped = step();
  reset();
  if (!stepped) return stepped.error();
  return Ok{};
}

void Statement::reset() {
  sqlite3_reset(statement_.get());
  sqlite3_clear_bindings(statement_.get());
  bind_code_ = SQLITE_OK;
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

std::uint64_t Statement::number(int column) const {
  const std::int64_t value = integer(column);
  return value < 0 ? 0 : static_cast<std::uint64_t>(value);
}

std::string Statement::text(int column) const {
  const void* const bytes = sqlite3_column_blob(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  if (bytes == nullptr || size <= 0) return {};
  return {static_cast<const char*>(bytes), static_cast<std::size_t>(size)};
}

std::optional<std::uint64_t> Statement::optional_number(int column) const {
  if (is_null(column)) return std::nullopt;
  return number(column);
}

std::optional<std::string> Statement::optional_text(int column) const {
  if (is_null(column)) return std::nullopt;
  return text(column);
}

void Database::Closer::operator()(sqlite3* connection) const { sqlite3_close_v2(connection); }

Result<Database> Database::open(const std::string& path, OpenMode mode) {
  int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_URI;
  if (mode == OpenMode::read_write) {
    const Result<Ok> made = make_file(path);
    if (!made) return made.error();
    flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_URI | SQLITE_OPEN_NOFOLLOW;
  }
  const std::string uri = uri_of(path, mode == OpenMode::immutable ? "?immutable=1" : "");
  sqlite3* connection = nullptr;
  const int code =
      sqlite3_open_v2(uri.c_str(), &connection, flags | SQLITE_OPEN_EXRESCODE, nullptr);
  // Even a failed open gives one, which holds the message.
  Database database{connection, path};
  if (connection == nullptr) {
    return Error{.code = ErrorCode::io, .what = "no memory for a database", .file = path};
  }
  if (code != SQLITE_OK) return sqlite_error(connection, code, path);
  sqlite3_busy_timeout(connection, kBusyMilliseconds);
  sqlite3_db_config(connection, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(connection, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  return database;
}

Result<Statement> Database::prepare(std::string_view sql) const {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v2(connection_.get(), sql.data(), static_cast<int>(sql.size()),
                                      &statement, nullptr);
  if (code != SQLITE_OK) return sqlite_error(connection_.get(), code, path_);
  return Statement{statement, path_};
}

Result<Ok> Database::execute(const char* sql) const {
  const int code = sqlite3_exec(connection_.get(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return sqlite_error(connection_.get(), code, path_);
  return Ok{};
}

Result<std::int64_t> Database::query_number(std::string_view sql) const {
  Result<Statement> statement = prepare(sql);
  if (!statement) return statement.error();
  const Result<bool> row = statement->step();
  if (!row) return row.error();
  return *row ? statement->integer(0) : 0;
}

Result<std::string> Database::query_text(std::string_view sql) const {
  Result<Statement> statement = prepare(sql);
  if (!statement) return statement.error();
  const Result<bool> row = statement->step();
  if (!row) return row.error();
  return *row ? statement->text(0) : std::string{};
}

std::int64_t Database::last_insert_id() const {
  return sqlite3_last_insert_rowid(connection_.get());
}

std::int64_t Database::changes() const { return sqlite3_changes64(connection_.get()); }

bool Database::has_moved() const {
  int moved = 0;
  const int code = sqlite3_file_control(connection_.get(), "main", SQLITE_FCNTL_HAS_MOVED, &moved);
  return code == SQLITE_OK && moved != 0;
}

Result<Transaction> Transaction::begin(const Database& database) {
  const Result<Ok> begun = database.execute("BEGIN IMMEDIATE");
  if (!begun) return begun.error();
  return Transaction{database};
}

Transaction::~Transaction() {
  // Fails where SQLite has rolled it back by itself, after a full disk for one.
  if (database_ != nullptr) static_cast<void>(database_->execute("ROLLBACK"));
}

Result<Ok> Transaction::commit() {
  const Result<Ok> committed = database_->execute("COMMIT");
  if (!committed) return committed.error();
  database_ = nullptr;
  return Ok{};
}

}  // namespace smaps_audit::store
