// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <nlohmann/json.hpp>
#include <ostream>

#include "base/find_named.h"
#include "report/card_report.h"
#include "report/json_parts.h"
#include "report/probe_report.h"

namespace smaps_audit {
namespace {

using Json = nlohmann::ordered_json;
using probes::BehaviourCard;
using probes::CardRow;
using probes::DefectState;

double seconds(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double>(duration).count();
}

Json result_json(const probes::ProbeResult& result) {
  Json json;
  json["probe"] = result.probe;
  json["outcome"] = name_of(result.answer.outcome);
  json["reason"] = text_or_null(result.answer.reason);
  json["expected"] = text_or_null(result.answer.expected);
  json["observed"] = text_or_null(result.answer.observed);
  json["duration_seconds"] = seconds(result.duration);
  json["defects"] = result.answer.present_defects();
  json["cpu_seconds"] = seconds(result.cpu);
  json["peak_rss_bytes"] = result.peak_rss_bytes;
  if (!result.answer.era.empty()) json["gup_era"] = result.answer.era;
  return json;
}

std::string string_or_empty(const nlohmann::json& json) {
  return json.is_null() ? "" : json.get<std::string>();
}

DefectState state_of(const std::string& name) {
  constexpr std::array kStates{DefectState::present, DefectState::absent};
  return find_named(kStates, name).value_or(DefectState::unknown);
}

BehaviourCard read_card(const nlohmann::json& json) {
  BehaviourCard card;
  card.tool_version = string_or_empty(json.at("tool_version"));
  card.kernel_release = string_or_empty(json.at("kernel_release"));
  card.machine = string_or_empty(json.at("machine"));
  card.boot_id = string_or_empty(json.at("boot_id"));
  card.livepatches = json.at("livepatches");
  card.taken = std::chrono::nanoseconds{json.at("taken_ns").get<std::int64_t>()};
  card.gup_era = string_or_empty(json.at("gup_era"));
  card.gup_era_reason = string_or_empty(json.at("gup_era_reason"));
  for (const nlohmann::json& row : json.at("defects")) {
    card.defects.push_back({.id = row.at("id"),
                            .state = state_of(row.at("state")),
                            .reason = string_or_empty(row.at("reason"))});
  }
  if (json.contains("nameless")) card.nameless = json.at("nameless");
  if (!json.contains("probes")) return card;
  for (const nlohmann::json& row : json.at("probes")) {
    card.probes.push_back(
        {.probe = row.at("probe"),
         .outcome = probes::outcome_of(row.at("outcome").get<std::string>()),
         .reason = string_or_empty(row.at("reason")),
         .taken = std::chrono::nanoseconds{row.at("taken_ns").get<std::int64_t>()}});
  }
  return card;
}

}  // namespace

Json card_json(const BehaviourCard& card) {
  Json json;
  json["schema"] = "smaps-audit.card/1";
  json["tool_version"] = card.tool_version;
  json["kernel_release"] = text_or_null(card.kernel_release);
  json["machine"] = text_or_null(card.machine);
  json["boot_id"] = text_or_null(card.boot_id);
  json["livepatches"] = Json::array();
  for (const std::string& patch : card.livepatches) {
    json["livepatches"].push_back(text_or_null(patch));
  }
  json["taken"] = time_json(card.taken);
  json["taken_ns"] = card.taken.count();
  json["gup_era"] = text_or_null(card.gup_era);
  json["gup_era_reason"] = text_or_null(card.gup_era_reason);
  Json& rows = json["defects"] = Json::array();
  for (const CardRow& row : card.defects) {
    const bool finding = probes::class_of(row.id) == DefectClass::finding;
    rows.push_back(Json{{"id", row.id},
                        {"title", text_or_null(probes::title_of(row.id))},
                        {"class", finding ? "finding" : "note"},
                        {"state", name_of(row.state)},
                        {"reason", text_or_null(row.reason)}});
  }
  json["nameless"] = card.nameless;
  Json& outcomes = json["probes"] = Json::array();
  for (const probes::CardProbe& row : card.probes) {
    outcomes.push_back(Json{{"probe", text_or_null(row.probe)},
                            {"outcome", name_of(row.outcome)},
                            {"reason", text_or_null(row.reason)},
                            {"taken", time_json(row.taken)},
                            {"taken_ns", row.taken.count()}});
  }
  return json;
}

std::string card_text(const BehaviourCard& card) { return dump(card_json(card), -1) + "\n"; }

Result<BehaviourCard> parse_card(std::string_view text) {
  try {
    const auto json = nlohmann::json::parse(text);
    if (json.at("schema") != "smaps-audit.card/1") {
      return Error{.code = ErrorCode::malformed, .what = "it is no behaviour card of this version"};
    }
    return read_card(json);
  } catch (const nlohmann::json::exception& error) {
    return Error{.code = ErrorCode::malformed, .what = error.what()};
  }
}

void write_probe_json(std::ostream& out, const ProbeReport& report) {
  AuditReport frame;
  frame.tool_version = report.tool_version;
  frame.host = report.host;
  frame.started = report.started;
  frame.duration = report.duration;
  Json json = report_json(frame);
  for (const probes::ProbeResult& result : report.results) {
    json["probes"].push_back(result_json(result));
  }
  json["behaviour_card"] = card_json(report.card);
  json["verdict"] = Json{{"outcome", name_of(report.verdict.outcome)},
                         {"line", text_or_null(report.verdict.line)}};
  out << dump(json, 1) << '\n';
}

void write_probe_line(std::ostream& out, const probes::ProbeResult& result) {
  out << dump(result_json(result), -1) << '\n';
}

}  // namespace smaps_audit
