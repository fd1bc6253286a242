// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "report/report.h"

/// Private to report/ and the store: what their JSON writers share.
namespace smaps_audit {

/// The whole of schema smaps-audit.report/1, "probes" empty.
nlohmann::ordered_json report_json(const AuditReport& report);

/// RFC 3339 in UTC with microseconds.
nlohmann::ordered_json time_json(std::chrono::nanoseconds since_epoch);

/// null where it is empty; never anything but UTF-8.
nlohmann::ordered_json text_or_null(std::string_view bytes);

template <class T>
nlohmann::ordered_json or_null(const std::optional<T>& value) {
  return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json(nullptr);
}
/// The word of an enumerator.
template <class Enum>
nlohmann::ordered_json name_or_null(const std::optional<Enum>& value) {
  return value ? nlohmann::ordered_json(name_of(*value)) : nlohmann::ordered_json(nullptr);
}

/// ASCII only. `indent` -1: one line.
std::string dump(const nlohmann::ordered_json& json, int indent);

}  // namespace smaps_audit
