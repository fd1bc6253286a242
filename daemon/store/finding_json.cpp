// SPDX-License-Identifier: Apache-2.0
#include "daemon/store/finding_json.h"

#include <nlohmann/json.hpp>

#include "report/json_parts.h"
#include "report/printable.h"

namespace smaps_audit::store {
namespace {

using Json = nlohmann::ordered_json;

void add_interval(Json& json, const std::string& name, const std::optional<Interval>& interval) {
  json[name + "_low_bytes"] = interval ? Json(interval->low) : Json(nullptr);
  json[name + "_high_bytes"] = interval ? Json(interval->high) : Json(nullptr);
}

Json process_json(const StoredFinding& finding) {
  Json json;
  json["boot_id"] = text_or_null(finding.key.process.boot_id);
  json["pid"] = finding.key.process.pid;
  json["start_time_ticks"] = finding.key.process.start_time_ticks;
  json["comm"] = text_or_null(finding.comm);
  json["executable"] = finding.executable ? text_or_null(*finding.executable) : Json(nullptr);
  json["group"] = text_or_null(finding.group);
  return json;
}

Json capture_json(const StoredFinding& finding, const std::optional<std::string>& path) {
  if (!finding.capture) return nullptr;
  Json json;
  json["path"] = path ? text_or_null(*path) : Json(nullptr);
  json["bytes"] = finding.capture->bytes;
  json["taken"] = time_json(finding.capture->taken);
  return json;
}

}  // namespace

std::string finding_to_json(const StoredFinding& finding,
                            const std::optional<std::string>& capture_path,
                            const std::optional<std::string>& report) {
  Json json;
  json["id"] = finding.id;
  json["open"] = finding.open();
  json["process"] = process_json(finding);
  json["check"] = utf8_or_escaped(finding.key.check);
  json["interface"] = name_of(finding.key.interface);
  json["field"] = utf8_or_escaped(finding.key.field);
  json["direction"] = name_of(finding.direction);
  json["against"] = name_or_null(finding.against);
  json["reported_bytes"] = finding.reported_bytes;
  json["expected_low_bytes"] = finding.expected.low;
  json["expected_high_bytes"] = finding.expected.high;
  json["error_bytes"] = finding.error_bytes;
  json["least_error_bytes"] = finding.least_error_bytes;
  json["worst_error_bytes"] = finding.worst_error_bytes;
  add_interval(json, "true_rss", finding.true_rss);
  add_interval(json, "true_pss", finding.true_pss);
  json["first_seen"] = time_json(finding.first_seen);
  json["last_seen"] = time_json(finding.last_seen);
  json["times_seen"] = finding.times_seen;
  json["basis"] = name_of(finding.basis);
  json["brackets"] = finding.brackets;
  json["exact"] = finding.exact;
  json["defect"] = or_null(finding.defect);
  json["cause"] = name_or_null(finding.cause);
  json["kernel_release"] = text_or_null(finding.kernel_release);
  json["tool_version"] = text_or_null(finding.tool_version);
  json["capture"] = capture_json(finding, capture_path);
  json["resolved"] = finding.resolved ? time_json(finding.resolved->when) : Json(nullptr);
  json["resolved_why"] =
      finding.resolved ? Json(std::string{name_of(finding.resolved->why)}) : Json(nullptr);
  if (report) {
    Json& member = json["report"] = Json::parse(*report, nullptr, /*allow_exceptions=*/false);
    if (member.is_discarded()) member = nullptr;
  }
  return dump(json, -1);
}

}  // namespace smaps_audit::store
