// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "daemon/store/sqlite.h"

/// Private to the store: the shape of the database.
///
/// version 1: one table; the report and the name of the capture in every row; times in seconds.
/// version 2: reports and captures once for all findings of a process; least and worst error; true
///            Pss; which executable; what probes said.
namespace smaps_audit::store {

inline constexpr std::int64_t kSchemaVersion = 2;
/// "smap" (PRAGMA application_id): tells our databases from other programs'.
inline constexpr std::int64_t kApplicationId = 0x736d6170;

enum class SchemaState : std::uint8_t { empty, old, current };

/// Looks, and changes nothing. Error `unsupported`: written by a newer version; `usage`: a database
/// of another program; `malformed`: damaged.
Result<SchemaState> look_at_schema(const Database& database);

/// Sets the connection up for writing (WAL, synchronous=FULL) and brings the database to
/// kSchemaVersion in one transaction. What a deletion frees can go back to the file system
/// (incremental vacuum).
Result<Ok> prepare_schema(const Database& database);

}  // namespace smaps_audit::store
