// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

/// Private to the store: SQLite's C interface as values. What its result codes become:
/// `malformed` a damaged database (or none at all) · `denied` no permission · `gone` no such file ·
/// `deadline` locked by somebody else for longer than we wait · `io` everything else, with ENOSPC
/// for a full disk.
namespace smaps_audit::store {

/// One prepared statement. Parameters and columns count as SQLite does: from 1 and from 0.
/// A failed bind shows as the error of the next step().
class Statement {
 public:
  Statement& bind(int index, std::int64_t value);
  /// Numbers above INT64_MAX are stored as INT64_MAX: no byte count is that large.
  Statement& bind(int index, std::uint64_t value);
  Statement& bind(int index, std::string_view text);
  Statement& bind_null(int index);
  template <class T>
  Statement& bind(int index, const std::optional<T>& value) {
    return value ? bind(index, *value) : bind_null(index);
  }

  /// true: there is a row, whose columns can be read until the next call.
  Result<bool> step();
  /// Runs a statement that gives no rows, and makes it ready for the next parameters.
  Result<Ok> run();
  void reset();

  [[nodiscard]] bool is_null(int column) const;
  [[nodiscard]] std::int64_t integer(int column) const;
  /// 0 for what is negative: nothing that the store writes is.
  [[nodiscard]] std::uint64_t number(int column) const;
  [[nodiscard]] std::string text(int column) const;
  [[nodiscard]] std::optional<std::uint64_t> optional_number(int column) const;
  [[nodiscard]] std::optional<std::string> optional_text(int column) const;

 private:
  friend class Database;
  struct Finalizer {
    void operator()(sqlite3_stmt* statement) const;
  };
  Statement(sqlite3_stmt* statement, std::string file)
      : statement_(statement), file_(std::move(file)) {}
  void remember(int code);

  std::unique_ptr<sqlite3_stmt, Finalizer> statement_;
  std::string file_;
  int bind_code_ = 0;
};

enum class OpenMode : std::uint8_t {
  read_write,  ///< made if it is not there, mode 0640
  read_only,
  immutable,  ///< read only, and nobody may write meanwhile: needs no files beside it
};

/// One connection, used by one thread at a time.
class Database {
 public:
  /// Succeeds for any bytes: SQLite reads the file at the first statement.
  static Result<Database> open(const std::string& path, OpenMode mode);

  Result<Statement> prepare(std::string_view sql) const;
  /// Every statement of `sql`; rows are passed over.
  Result<Ok> execute(const char* sql) const;
  /// The only column of the only row.
  Result<std::int64_t> query_number(std::string_view sql) const;
  Result<std::string> query_text(std::string_view sql) const;

  [[nodiscard]] std::int64_t last_insert_id() const;
  /// Rows that the last statement changed.
  [[nodiscard]] std::int64_t changes() const;
  /// Was the file renamed or removed since it was opened? Then nobody would find what is written.
  [[nodiscard]] bool has_moved() const;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  struct Closer {
    void operator()(sqlite3* connection) const;
  };
  Database(sqlite3* connection, std::string path)
      : connection_(connection), path_(std::move(path)) {}

  std::unique_ptr<sqlite3, Closer> connection_;
  std::string path_;
};

/// Rolled back unless commit() succeeded. The database must outlive it.
class Transaction {
 public:
  /// Takes the write lock at once.
  static Result<Transaction> begin(const Database& database);
  Transaction(Transaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction();

  /// When it returns Ok, everything is on the disk (synchronous=FULL).
  Result<Ok> commit();

 private:
  explicit Transaction(const Database& database) : database_(&database) {}
  const Database* database_;
};

}  // namespace smaps_audit::store
