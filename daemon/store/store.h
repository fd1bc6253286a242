// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "audit/verdict.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "daemon/store/capture_shelf.h"
#include "daemon/store/pending_writes.h"
#include "daemon/store/retention.h"
#include "daemon/store/sqlite.h"
#include "daemon/store/stored_finding.h"
#include "probes/card.h"

namespace smaps_audit::store {

/// How long after a failed write the next attempt waits: each costs as much as all that waits.
inline constexpr std::chrono::seconds kRetryAfter{5};

struct StoreOptions {
  /// Made if it is not there: findings.db, captures/.
  std::string directory;
  RetentionLimits limits;
  std::uint64_t max_capture_bytes = std::uint64_t{64} << 20;
};

/// One audit of one process, of whatever verdict.
struct Sighting {
  std::string boot_id;
  std::string kernel_release;
  std::string tool_version;
  std::string group;                      ///< of the service's targets; empty: none
  std::optional<std::string> executable;  ///< bytes; nullopt: not known
  ProcessReport report;
  std::string report_json;  ///< `report` as process_to_json() writes it
  WallTime when{};
};

enum class Durability : std::uint8_t {
  committed,  ///< on the disk: it survives kill -9 and a power failure
  pending,    ///< in memory, to be written when there is room: see health()
  lost,       ///< not even there was room
};

enum class Change : std::uint8_t { fresh, reopened, repeated };

struct RecordedFinding {
  StoredFinding finding;  ///< id 0 unless committed
  Change change = Change::fresh;
};

struct Recorded {
  Durability durability = Durability::committed;
  std::vector<RecordedFinding> findings;  ///< of this sighting, in the order of its report
  /// What was open and is not any more; of earlier calls too, if they had to wait.
  std::vector<StoredFinding> resolved;
  std::optional<Error> capture_problem;  ///< the capture could not be kept
};

struct Tidied {
  std::uint64_t findings = 0;  ///< deleted
  std::uint64_t captures = 0;
  std::vector<StoredFinding> resolved;  ///< as Recorded::resolved: what had to wait until now
};

/// What is kept, in metrics.
struct StoreSize {
  std::uint64_t findings = 0;
  std::uint64_t open_findings = 0;
  std::uint64_t captures = 0;
  std::uint64_t database_bytes = 0;  ///< with its journal, as on the disk
  std::uint64_t capture_bytes = 0;
};

/// For metrics and log. Counts are since open().
struct StoreHealth {
  std::optional<Error> trouble;  ///< why the last write failed; nullopt: all is on the disk
  std::uint64_t failed_writes = 0;
  std::uint64_t pending = 0;            ///< findings and ends that wait in memory
  std::uint64_t lost = 0;               ///< findings and ends that found no room there
  std::optional<Error> corruption;      ///< of the last database that was found damaged
  std::optional<std::string> moved_to;  ///< where that one is now
  std::uint64_t corruptions = 0;
  std::uint64_t orphans_removed = 0;   ///< half-written captures, and those no row tells of
  std::uint64_t captures_missing = 0;  ///< rows whose capture somebody removed
};

/// The findings of this machine, on disk: written by one process and one thread, read by anybody
/// meanwhile (FindingReader).
///
/// What is announced is on the disk first: a call that returns `committed` returns after the commit
/// (WAL, synchronous=FULL). Announce nothing as stored that is `pending`; announce it as what it
/// is.
///
/// It goes on where the disk is full or fails (findings wait in memory, within bounds, and later
/// calls try again, each tidy() and others every kRetryAfter) and where the database is damaged (it
/// is moved aside and a new one begun). Both show in health(): log its changes, export its numbers.
class Store {
 public:
  /// Errors: another process uses the directory (`deadline`); the database is of a newer version
  /// (`unsupported`) or another program (`usage`), and was not touched; there is no such directory
  /// and it cannot be made. Any other trouble is health()'s.
  static Result<Store> open(StoreOptions options, WallTime now);

  /// For a capture of a process that is about to be audited; give it to record().
  Result<CaptureDraft> begin_capture();

  /// Adds the report's findings, or sees them again. A report that leaves nothing hidden resolves
  /// the open findings of its process that are not in it. The capture is kept if there is a
  /// finding.
  Recorded record(const Sighting& sighting, std::optional<CaptureDraft> capture = std::nullopt);

  /// The process has ended: its open findings are resolved.
  Recorded end_process(const ProcessKey& process, WallTime now);
  /// So are those of every other boot. At start.
  Recorded end_other_boots(const std::string& boot_id, WallTime now);

  /// Writes what waits, deletes what is beyond the limits, gives its room back to the file system.
  Result<Tidied> tidy(WallTime now);

  /// Of any process, the newest first: what a service that was restarted has to look at again.
  Result<std::vector<StoredFinding>> open_findings(WallTime now);

  /// Takes up what `smaps-audit probe --spool DIRECTORY` left there: the last card of its boot and
  /// how each probe ended last. true: it holds something new. Errors: `gone`: nothing is there;
  /// those of read_spooled_card(); a failed write, after which it is still there to be taken up.
  Result<bool> take_up_card(const std::string& spool, WallTime now);
  /// The last card of a boot, with the last outcome of every probe; nullopt: none yet.
  Result<std::optional<probes::BehaviourCard>> card(const std::string& boot_id, WallTime now);

  Result<StoreSize> size(WallTime now);

  [[nodiscard]] StoreHealth health() const;

 private:
  struct Written {
    std::vector<RecordedFinding> findings;
    std::vector<StoredFinding> resolved;
    std::vector<std::string> captures;                   ///< that nothing refers to any more
    std::map<const std::string*, std::int64_t> reports;  ///< ids of those written so far
  };

  Store(StoreOptions options, UniqueFd lock)
      : options_(std::move(options)), lock_(std::move(lock)) {}
  Result<Ok> ensure_open(WallTime now);  ///< opens what is not open, or was taken away
  Result<Ok> open_database();
  Result<Ok> reconcile_captures();
  Result<Ok> begin_anew(const Error& corruption, WallTime now);
  [[nodiscard]] std::string database_path() const;
  void add_findings(const Sighting& sighting, const std::optional<StoredCapture>& capture,
                    Recorded& recorded);
  void end(PendingEnd end, WallTime now, Recorded& recorded);
  bool is_anything_open(const PendingEnd& end);
  /// Adds to what waits, after trying to make room.
  template <class... Arguments>
  void queue(WallTime now, Recorded& recorded, Arguments... arguments);
  /// Tries, unless the last attempt failed a moment ago.
  void write_pending(WallTime now, Recorded& recorded);
  void failed(const Error& error, WallTime now);
  void succeeded();
  Result<Ok> write_once(Written& written);
  Result<Ok> write_one(const PendingFinding& pending, Written& written);
  Result<std::optional<std::int64_t>> report_id(const PendingFinding& pending, Written& written);
  Result<Ok> resolve_ended(Written& written);
  Result<Ok> tidy_once(WallTime now, Tidied& total);
  Result<Ok> measure(StoreSize& size);
  Result<Ok> delete_planned(const RetentionPlan& plan, Tidied& total);
  void remove_files(const std::vector<std::string>& captures);
  /// Runs `action` on an open database, and once more on a new one if the first proves damaged.
  Result<Ok> guarded(WallTime now, const std::function<Result<Ok>()>& action);

  StoreOptions options_;
  UniqueFd lock_;
  std::optional<Database> database_;
  std::optional<CaptureShelf> shelf_;
  PendingWrites pending_;
  StoreHealth health_;
  std::optional<WallTime> failed_at_;
};

}  // namespace smaps_audit::store
