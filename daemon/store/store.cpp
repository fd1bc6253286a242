// SPDX-License-Identifier: Apache-2.0
#include "daemon/store/store.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "daemon/store/aside.h"
#include "daemon/store/finding_rows.h"
#include "daemon/store/schema.h"

namespace smaps_audit::store {
namespace {

Result<UniqueFd> lock_directory(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  UniqueFd directory{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!directory) return error_from_errno(errno, "the store's directory", path);
  if (::flock(directory.get(), LOCK_EX | LOCK_NB) == 0) return directory;
  if (errno != EWOULDBLOCK) return error_from_errno(errno, "it cannot be locked", path);
  return Error{.code = ErrorCode::deadline, .what = "another smaps-auditd uses it", .file = path};
}

}  // namespace

Result<Store> Store::open(StoreOptions options, WallTime now) {
  Result<UniqueFd> lock = lock_directory(options.directory);
  if (!lock) return lock.error();
  Store store{std::move(options), *std::move(lock)};
  const Result<Ok> opened = store.ensure_open(now);
  if (opened) return store;
  const ErrorCode code = opened.error().code;
  if (code == ErrorCode::unsupported || code == ErrorCode::usage) return opened.error();
  store.failed(opened.error(), now);
  return store;
}

void Store::failed(const Error& error, WallTime now) {
  ++health_.failed_writes;
  health_.trouble = error;
  failed_at_ = now;
}

void Store::succeeded() {
  health_.trouble.reset();
  failed_at_.reset();
}

std::string Store::database_path() const { return options_.directory + "/" + kDatabaseFile; }

Result<Ok> Store::ensure_open(WallTime now) {
  if (database_ && !database_->has_moved()) return Ok{};
  database_.reset();
  const Result<Ok> opened = open_database();
  if (opened || opened.error().code != ErrorCode::malformed) return opened;
  return begin_anew(opened.error(), now);
}

Result<Ok> Store::begin_anew(const Error& corruption, WallTime now) {
  database_.reset();
  ++health_.corruptions;
  health_.corruption = corruption;
  const Result<std::string> moved = move_aside(options_.directory, now);
  if (!moved) return moved.error();
  health_.moved_to = *moved;
  return open_database();
}

Result<Ok> Store::open_database() {
  // What is to be refused is only looked at.
  const Result<Database> seen = Database::open(database_path(), OpenMode::read_only);
  if (!seen && seen.error().code != ErrorCode::gone) return seen.error();
  if (seen) {
    const Result<SchemaState> state = look_at_schema(*seen);
    if (!state) return state.error();
  }
  Result<Database> database = Database::open(database_path(), OpenMode::read_write);
  if (!database) return database.error();
  const Result<Ok> prepared = prepare_schema(*database);
  if (!prepared) return prepared.error();
  const Result<std::string> check = database->query_text("PRAGMA quick_check(1)");
  if (!check) return check.error();
  if (*check != "ok") {
    return Error{.code = ErrorCode::malformed, .what = *check, .file = database_path()};
  }
  Result<CaptureShelf> shelf = CaptureShelf::open(options_.directory + "/" + kCapturesFolder);
  if (!shelf) return shelf.error();
  database_.emplace(*std::move(database));
  shelf_.emplace(*std::move(shelf));
  const Result<Ok> reconciled = reconcile_captures();
  if (!reconciled) database_.reset();
  return reconciled;
}

Result<Ok> Store::reconcile_captures() {
  Result<std::vector<StoredCapture>> known = select_captures(*database_);
  if (!known) return known.error();
  for (const StoredCapture& capture : *known) {
    if (shelf_->holds(capture.name)) continue;
    const Result<Ok> deleted = delete_capture(*database_, capture.name);
    if (!deleted) return deleted.error();
    ++health_.captures_missing;
  }
  for (const auto& [key, pending] : pending_.findings()) {
    if (pending.finding.capture) known->push_back(*pending.finding.capture);
  }
  const Result<std::uint64_t> removed = shelf_->remove_orphans(*known);
  if (!removed) return removed.error();
  health_.orphans_removed += *removed;
  return Ok{};
}

Result<Ok> Store::guarded(WallTime now, const std::function<Result<Ok>()>& action) {
  const Result<Ok> opened = ensure_open(now);
  if (!opened) return opened.error();
  const Result<Ok> done = action();
  if (done || done.error().code != ErrorCode::malformed) return done;
  const Result<Ok> begun = begin_anew(done.error(), now);
  if (!begun) return begun.error();
  return action();
}

Result<CaptureDraft> Store::begin_capture() {
  if (shelf_) return shelf_->begin();
  return Error{.code = ErrorCode::io, .what = "the store is not open", .file = database_path()};
}

Result<std::vector<StoredFinding>> Store::open_findings(WallTime now) {
  std::vector<StoredFinding> open;
  const Result<Ok> read = guarded(now, [&]() -> Result<Ok> {
    Result<std::vector<StoredFinding>> rows = select_findings(*database_, Which::open);
    if (!rows) return rows.error();
    open = *std::move(rows);
    return Ok{};
  });
  if (!read) return read.error();
  return open;
}

StoreHealth Store::health() const {
  StoreHealth health = health_;
  health.pending = pending_.findings().size() + pending_.ends().size();
  return health;
}

}  // namespace smaps_audit::store
