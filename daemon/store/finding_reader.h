// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "daemon/store/sqlite.h"
#include "daemon/store/stored_finding.h"

namespace smaps_audit::store {

/// The findings in a store, for anybody who may read the file; the service may write meanwhile.
class FindingReader {
 public:
  /// Errors: `gone` there is no store, or nothing in it yet; `denied`; `unsupported` its schema is
  /// of another version of the program; `usage` a database of another program; `malformed`.
  static Result<FindingReader> open(const std::string& database);

  /// Open ones first, then by last sighting, the newest first.
  Result<std::vector<StoredFinding>> list(Which which) const;
  Result<std::optional<StoredFinding>> find(std::int64_t id) const;
  /// The process report in which it was seen last, as JSON; nullopt: none was kept.
  Result<std::optional<std::string>> report(std::int64_t id) const;

  [[nodiscard]] std::string path_of(const StoredCapture& capture) const;

 private:
  explicit FindingReader(Database database) : database_(std::move(database)) {}
  Database database_;
};

}  // namespace smaps_audit::store
