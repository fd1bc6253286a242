// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <memory>

#include "daemon/store/finding_rows.h"
#include "daemon/store/store.h"

namespace smaps_audit::store {
namespace {

StoredFinding stored(const Sighting& sighting, const Finding& finding) {
  const ProcessReport& report = sighting.report;
  const std::optional<TrueMemory>& truth = report.truth;
  return {
      .key = {.process = {sighting.boot_id, report.pid, report.start_time_ticks},
              .check = finding.check,
              .interface = finding.interface,
              .field = finding.field},
      .comm = report.comm,
      .group = sighting.group,
      .executable = sighting.executable,
      .direction = finding.direction,
      .against = finding.against,
      .reported_bytes = finding.reported_bytes,
      .expected = finding.expected,
      .error_bytes = finding.error_bytes,
      .least_error_bytes = finding.error_bytes,
      .worst_error_bytes = finding.error_bytes,
      .true_rss = truth ? std::optional{truth->rss} : std::nullopt,
      .true_pss = truth ? truth->pss : std::nullopt,
      .first_seen = sighting.when,
      .last_seen = sighting.when,
      .times_seen = 1,
      .basis = finding.basis,
      .brackets = finding.brackets,
      .exact = finding.exact,
      .defect = finding.defect,
      .cause = finding.cause,
      .kernel_release = sighting.kernel_release,
      .tool_version = sighting.tool_version,
      .capture = {},
      .resolved = {},
  };
}

// Each key once: of two findings about one number the larger stands for both.
std::vector<StoredFinding> stored_findings(const Sighting& sighting) {
  std::vector<StoredFinding> rows;
  for (const Finding& finding : sighting.report.findings) {
    StoredFinding row = stored(sighting, finding);
    const auto same = std::find_if(rows.begin(), rows.end(), [&](const StoredFinding& earlier) {
      return earlier.key == row.key;
    });
    if (same == rows.end()) {
      rows.push_back(std::move(row));
    } else if (same->error_bytes < row.error_bytes) {
      *same = std::move(row);
    }
  }
  return rows;
}

}  // namespace

Recorded Store::record(const Sighting& sighting, std::optional<CaptureDraft> capture) {
  Recorded recorded;
  const ProcessReport& report = sighting.report;
  const ProcessKey process{sighting.boot_id, report.pid, report.start_time_ticks};
  if (leaves_nothing_hidden(report)) {
    PendingEnd end{.process = process,
                   .except = {},
                   .resolved = {sighting.when, Resolution::audit_without_it}};
    for (const StoredFinding& row : stored_findings(sighting)) end.except.insert(row.key);
    if (is_anything_open(end)) queue(sighting.when, recorded, std::move(end));
  }
  if (!report.findings.empty()) {
    std::optional<StoredCapture> kept;
    if (capture && shelf_) {
      Result<StoredCapture> file =
          shelf_->keep(*std::move(capture), process, sighting.when, options_.max_capture_bytes);
      if (file) {
        kept = *std::move(file);
      } else {
        recorded.capture_problem = file.error();
      }
    }
    add_findings(sighting, kept, recorded);
  }
  if (!pending_.empty()) write_pending(sighting.when, recorded);
  return recorded;
}

Recorded Store::end_process(const ProcessKey& process, WallTime now) {
  Recorded recorded;
  end({.process = process, .except = {}, .resolved = {now, Resolution::process_ended}}, now,
      recorded);
  return recorded;
}

Recorded Store::end_other_boots(const std::string& boot_id, WallTime now) {
  Recorded recorded;
  end({.process = {.boot_id = boot_id}, .except = {}, .resolved = {now, Resolution::rebooted}}, now,
      recorded);
  return recorded;
}

void Store::end(PendingEnd end, WallTime now, Recorded& recorded) {
  if (is_anything_open(end)) queue(now, recorded, std::move(end));
  if (!pending_.empty()) write_pending(now, recorded);
}

// Most audits find nothing and end nothing: they write nothing. What cannot be read may be open.
bool Store::is_anything_open(const PendingEnd& end) {
  const bool waits =
      std::any_of(pending_.findings().begin(), pending_.findings().end(), [&](const auto& pending) {
        return pending.second.finding.open() && is_ended_by(end, pending.first);
      });
  if (waits || !database_) return true;
  const auto rows = end.process.pid == 0
                        ? select_open_of_other_boots(*database_, end.process.boot_id)
                        : select_open_of(*database_, end.process);
  return !rows || std::any_of(rows->begin(), rows->end(),
                              [&](const StoredFinding& row) { return is_ended_by(end, row.key); });
}

template <class... Arguments>
void Store::queue(WallTime now, Recorded& recorded, Arguments... arguments) {
  if (recorded.durability == Durability::committed) recorded.durability = Durability::pending;
  if (pending_.add(arguments...)) return;
  write_pending(now, recorded);
  if (pending_.add(std::move(arguments)...)) return;
  ++health_.lost;
  recorded.durability = Durability::lost;
}

void Store::add_findings(const Sighting& sighting, const std::optional<StoredCapture>& capture,
                         Recorded& recorded) {
  const auto report = std::make_shared<const std::string>(sighting.report_json);
  for (StoredFinding& row : stored_findings(sighting)) {
    row.capture = capture;
    const bool known = pending_.findings().contains(row.key);
    recorded.findings.push_back({row, known ? Change::repeated : Change::fresh});
    queue(sighting.when, recorded, std::move(row), report);
  }
}

void Store::write_pending(WallTime now, Recorded& recorded) {
  const bool soon = failed_at_ && now >= *failed_at_ && now - *failed_at_ < kRetryAfter;
  if (soon) return;
  Written written;
  const Result<Ok> done = guarded(now, [&] { return write_once(written); });
  if (!done) {
    failed(done.error(), now);
    return;
  }
  succeeded();
  pending_.clear();
  if (recorded.durability == Durability::pending) recorded.durability = Durability::committed;
  remove_files(written.captures);
  for (RecordedFinding& row : recorded.findings) {
    const auto same = std::find_if(
        written.findings.begin(), written.findings.end(),
        [&](const RecordedFinding& other) { return other.finding.key == row.finding.key; });
    if (same != written.findings.end()) row = *same;
  }
  recorded.resolved.insert(recorded.resolved.end(), written.resolved.begin(),
                           written.resolved.end());
}

Result<Ok> Store::resolve_ended(Written& written) {
  for (const PendingEnd& end : pending_.ends()) {
    Result<std::vector<StoredFinding>> rows =
        end.process.pid == 0 ? select_open_of_other_boots(*database_, end.process.boot_id)
                             : select_open_of(*database_, end.process);
    if (!rows) return rows.error();
    for (StoredFinding& row : *rows) {
      if (!is_ended_by(end, row.key)) continue;
      const Result<Ok> resolved = write_resolution(*database_, row.id, end.resolved);
      if (!resolved) return resolved.error();
      row.resolved = end.resolved;
      written.resolved.push_back(std::move(row));
    }
  }
  return Ok{};
}

// The id of the report, which is written once for all its findings.
Result<std::optional<std::int64_t>> Store::report_id(const PendingFinding& pending,
                                                     Written& written) {
  if (pending.report == nullptr) return std::optional<std::int64_t>{};
  const auto [found, added] = written.reports.try_emplace(pending.report.get(), 0);
  if (added) {
    const Result<std::int64_t> inserted = insert_report(*database_, *pending.report);
    if (!inserted) return inserted.error();
    found->second = *inserted;
  }
  return std::optional{found->second};
}

Result<Ok> Store::write_one(const PendingFinding& pending, Written& written) {
  Result<std::optional<StoredFinding>> existing = select_finding(*database_, pending.finding.key);
  if (!existing) return existing.error();
  StoredFinding row = pending.finding;
  Change change = Change::fresh;
  if (*existing) {
    change = (*existing)->open() ? Change::repeated : Change::reopened;
    row = *std::move(*existing);
    merge(row, pending.finding);
  }
  const Result<std::optional<std::int64_t>> report = report_id(pending, written);
  if (!report) return report.error();
  std::optional<std::int64_t> capture_id;
  if (row.capture && !shelf_->holds(row.capture->name)) row.capture.reset();
  if (row.capture) {
    const Result<std::int64_t> inserted = insert_capture(*database_, *row.capture);
    if (!inserted) return inserted.error();
    capture_id = *inserted;
  }
  const Result<std::int64_t> id = write_finding(*database_, row, *report, capture_id);
  if (!id) return id.error();
  row.id = *id;
  if (!row.open() && change != Change::reopened) written.resolved.push_back(row);
  written.findings.push_back({std::move(row), change});
  return Ok{};
}

Result<Ok> Store::write_once(Written& written) {
  written = {};
  Result<Transaction> transaction = Transaction::begin(*database_);
  if (!transaction) return transaction.error();
  const Result<Ok> ended = resolve_ended(written);
  if (!ended) return ended.error();
  for (const auto& [key, pending] : pending_.findings()) {
    const Result<Ok> done = write_one(pending, written);
    if (!done) return done.error();
  }
  Result<std::vector<std::string>> captures = delete_unreferenced(*database_);
  if (!captures) return captures.error();
  written.captures = *std::move(captures);
  return transaction->commit();
}

}  // namespace smaps_audit::store
