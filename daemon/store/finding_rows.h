// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "daemon/store/retention.h"
#include "daemon/store/sqlite.h"
#include "daemon/store/stored_finding.h"

/// Private to the store: rows of the database as values. An unknown word in a row is `malformed`.
namespace smaps_audit::store {

Result<std::optional<StoredFinding>> select_finding(const Database& database,
                                                    const FindingKey& key);
Result<std::optional<StoredFinding>> select_finding(const Database& database, std::int64_t id);

/// Open ones first, then by last sighting, the newest first.
Result<std::vector<StoredFinding>> select_findings(const Database& database, Which which);
Result<std::vector<StoredFinding>> select_open_of(const Database& database,
                                                  const ProcessKey& process);
/// Open ones of any boot but this one.
Result<std::vector<StoredFinding>> select_open_of_other_boots(const Database& database,
                                                              const std::string& boot_id);

Result<std::vector<RetentionRow>> select_retention_rows(const Database& database);

/// The report in which it was seen last; nullopt: none was kept.
Result<std::optional<std::string>> select_report(const Database& database, std::int64_t id);

Result<std::int64_t> insert_report(const Database& database, const std::string& json);
/// The id of the capture of that name, which is added if it is not there.
Result<std::int64_t> insert_capture(const Database& database, const StoredCapture& capture);

/// A new row for id 0, else that row is overwritten. `report_id` and the capture's id replace what
/// the row referred to; nullopt for a report leaves the one that is there. Returns the row's id.
Result<std::int64_t> write_finding(const Database& database, const StoredFinding& finding,
                                   std::optional<std::int64_t> report_id,
                                   std::optional<std::int64_t> capture_id);
Result<Ok> write_resolution(const Database& database, std::int64_t id, const Resolved& resolved);
Result<Ok> delete_finding(const Database& database, std::int64_t id);

/// Reports and captures that no finding refers to any more; the names of those captures.
Result<std::vector<std::string>> delete_unreferenced(const Database& database);
Result<std::vector<StoredCapture>> select_captures(const Database& database);
/// Its findings stay, without one.
Result<Ok> delete_capture(const Database& database, const std::string& name);

}  // namespace smaps_audit::store
