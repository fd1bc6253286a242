// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>
#include <ostream>

#include "report/doctor_report.h"
#include "report/json_parts.h"

namespace smaps_audit {
namespace {

using Json = nlohmann::ordered_json;

}  // namespace

void write_doctor_json(std::ostream& out, const DoctorReport& report) {
  Json json;
  json["schema"] = "smaps-audit.doctor/1";
  json["tool"] = Json{{"version", report.tool_version}};
  json["kernel_release"] = text_or_null(report.host.kernel_release);
  Json& features = json["features"] = Json::array();
  for (const DoctorFeature& feature : report.features) {
    Json row;
    row["id"] = feature.id;
    row["works"] = or_null(feature.works);
    row["detail"] = text_or_null(feature.detail);
    row["cost"] = text_or_null(feature.cost);
    row["remedy"] = text_or_null(feature.remedy);
    features.push_back(std::move(row));
  }
  Json& levels = json["privileges"] = Json::array();
  for (const PrivilegeLevel& level : report.levels) {
    Json row;
    row["name"] = level.name;
    row["gives"] = level.gives;
    row["held"] = or_null(level.held);
    levels.push_back(std::move(row));
  }
  out << dump(json, 1) << '\n';
}

}  // namespace smaps_audit
