// SPDX-License-Identifier: Apache-2.0
#include "daemon/store/probe_results.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/unique_fd.h"
#include "daemon/store/store.h"
#include "report/card_report.h"

namespace smaps_audit::store {
namespace {

Result<std::string> read_bounded(int fd, const std::string& path) {
  std::string text;
  std::array<char, 16384> buffer{};
  while (true) {
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return error_from_errno(errno, "it cannot be read", path);
    if (got == 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(got));
    if (text.size() > kLargestCard) {
      return Error{
          .code = ErrorCode::malformed, .what = "it is too large for a card", .file = path};
    }
  }
}

// What reading a card that was refused says, with the file.
Result<probes::BehaviourCard> parsed(const std::string& text, const std::string& path) {
  Result<probes::BehaviourCard> card = parse_card(text);
  if (!card) {
    Error error = card.error();
    error.file = path;
    return error;
  }
  if (!card->boot_id.empty()) return card;
  return Error{.code = ErrorCode::malformed, .what = "it names no boot", .file = path};
}

constexpr const char* kForgetOldBoots =
    "DELETE FROM card WHERE rowid NOT IN (SELECT rowid FROM card ORDER BY rowid DESC LIMIT ";
constexpr const char* kForgetTheirProbes =
    "DELETE FROM probe WHERE boot_id NOT IN (SELECT boot_id FROM card)";

Result<Ok> write_outcomes(const Database& database, const probes::BehaviourCard& card) {
  Result<Statement> statement = database.prepare(
      "INSERT INTO probe(boot_id, name, outcome, reason, taken_ns) VALUES(?1, ?2, ?3, ?4, ?5) "
      "ON CONFLICT DO UPDATE SET outcome=excluded.outcome, reason=excluded.reason, "
      "taken_ns=excluded.taken_ns");
  if (!statement) return statement.error();
  for (const probes::CardProbe& row : card.probes) {
    statement->bind(1, card.boot_id)
        .bind(2, row.probe)
        .bind(3, probes::name_of(row.outcome))
        .bind(4, row.reason)
        .bind(5, std::int64_t{row.taken.count()});
    const Result<Ok> written = statement->run();
    if (!written) return written.error();
  }
  return Ok{};
}

Result<std::optional<std::string>> select_card_text(const Database& database,
                                                    const std::string& boot_id) {
  Result<Statement> statement = database.prepare("SELECT json FROM card WHERE boot_id=?1");
  if (!statement) return statement.error();
  const Result<bool> row = statement->bind(1, boot_id).step();
  if (!row) return row.error();
  if (!*row) return std::optional<std::string>{};
  return std::optional{statement->text(0)};
}

}  // namespace

Result<probes::BehaviourCard> read_spooled_card(const std::string& directory) {
  const std::string path = directory + "/" + kCardFile;
  // Without O_NONBLOCK a FIFO would be waited for.
  const UniqueFd file{
      ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)};
  if (!file) return error_from_errno(errno, "no card can be read", path);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return error_from_errno(errno, "no card", path);
  if (!S_ISREG(status.st_mode)) {
    return Error{.code = ErrorCode::malformed, .what = "it is no regular file", .file = path};
  }
  const Result<std::string> text = read_bounded(file.get(), path);
  if (!text) return text.error();
  return parsed(*text, path);
}

Result<bool> write_card(const Database& database, const probes::BehaviourCard& card) {
  const std::string text = card_text(card);
  const Result<std::optional<std::string>> known = select_card_text(database, card.boot_id);
  if (!known) return known.error();
  if (*known == text) return false;
  Result<Transaction> transaction = Transaction::begin(database);
  if (!transaction) return transaction.error();
  Result<Statement> statement = database.prepare(
      "INSERT INTO card(boot_id, taken_ns, json) VALUES(?1, ?2, ?3) "
      "ON CONFLICT DO UPDATE SET taken_ns=excluded.taken_ns, json=excluded.json");
  if (!statement) return statement.error();
  const Result<Ok> written = statement->bind(1, card.boot_id)
                                 .bind(2, std::int64_t{card.taken.count()})
                                 .bind(3, text)
                                 .run();
  if (!written) return written.error();
  const Result<Ok> outcomes = write_outcomes(database, card);
  if (!outcomes) return outcomes.error();
  const std::string forget = kForgetOldBoots + std::to_string(kKeptBoots) + ")";
  for (const std::string& sql : {forget, std::string{kForgetTheirProbes}}) {
    const Result<Ok> forgotten = database.execute(sql.c_str());
    if (!forgotten) return forgotten.error();
  }
  const Result<Ok> committed = transaction->commit();
  if (!committed) return committed.error();
  return true;
}

Result<std::optional<probes::BehaviourCard>> select_card(const Database& database,
                                                         const std::string& boot_id) {
  const Result<std::optional<std::string>> text = select_card_text(database, boot_id);
  if (!text) return text.error();
  if (!*text) return std::optional<probes::BehaviourCard>{};
  Result<probes::BehaviourCard> card = parse_card(**text);
  // Of another version of the program: the database is not damaged for that.
  if (!card) return std::optional<probes::BehaviourCard>{};
  Result<Statement> statement = database.prepare(
      "SELECT name, outcome, reason, taken_ns FROM probe WHERE boot_id=?1 ORDER BY name");
  if (!statement) return statement.error();
  statement->bind(1, boot_id);
  card->probes.clear();
  while (true) {
    const Result<bool> row = statement->step();
    if (!row) return row.error();
    if (!*row) return std::optional{*std::move(card)};
    card->probes.push_back({.probe = statement->text(0),
                            .outcome = probes::outcome_of(statement->text(1)),
                            .reason = statement->text(2),
                            .taken = std::chrono::nanoseconds{statement->integer(3)}});
  }
}

Result<bool> Store::take_up_card(const std::string& spool, WallTime now) {
  const Result<probes::BehaviourCard> card = read_spooled_card(spool);
  if (!card) return card.error();
  bool is_new = false;
  const Result<Ok> done = guarded(now, [&]() -> Result<Ok> {
    const Result<bool> written = write_card(*database_, *card);
    if (!written) return written.error();
    is_new = *written;
    return Ok{};
  });
  if (!done) return done.error();
  return is_new;
}

Result<std::optional<probes::BehaviourCard>> Store::card(const std::string& boot_id, WallTime now) {
  std::optional<probes::BehaviourCard> card;
  const Result<Ok> done = guarded(now, [&]() -> Result<Ok> {
    Result<std::optional<probes::BehaviourCard>> found = select_card(*database_, boot_id);
    if (!found) return found.error();
    card = *std::move(found);
    return Ok{};
  });
  if (!done) return done.error();
  return card;
}

}  // namespace smaps_audit::store
