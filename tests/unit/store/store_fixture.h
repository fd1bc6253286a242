// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "daemon/store/store.h"
#include "tests/support/temporary_directory.h"

namespace smaps_audit::store {

inline constexpr std::uint64_t kMiB = 1048576;
inline constexpr const char* kBoot = "11111111-2222-3333-4444-555555555555";

/// Seconds after a moment in November 2026.
inline WallTime at(std::int64_t seconds) { return std::chrono::seconds(1795413848 + seconds); }

/// Limits that nothing reaches.
RetentionLimits wide_limits();

/// A finding of check I1 in a field of smaps: that many MiB are missing.
Finding missing(const std::string& field, std::uint64_t mib);

/// A conclusive audit; without findings it is consistent.
Sighting sighting(int pid, std::vector<Finding> findings, WallTime when);

/// A directory with a store in it.
class StoreFixture {
 public:
  [[nodiscard]] std::string directory() const { return temporary_.path() + "/store"; }
  [[nodiscard]] std::string database() const { return directory() + "/findings.db"; }
  [[nodiscard]] std::string captures() const { return directory() + "/captures"; }
  [[nodiscard]] Store open(WallTime now = at(0), RetentionLimits limits = wide_limits()) const;
  /// Names below the directory, sorted; empty if there is none.
  [[nodiscard]] std::vector<std::string> names(const std::string& folder = "") const;
  /// Runs SQL on the database by the side of the store; aborts the test program if it fails.
  void sql(const std::string& script) const;
  [[nodiscard]] std::string sql_text(const std::string& query) const;

 private:
  TemporaryDirectory temporary_;
};

/// A draft that holds these bytes.
CaptureDraft draft_with(Store& store, std::string_view content);

}  // namespace smaps_audit::store
