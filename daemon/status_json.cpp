// SPDX-License-Identifier: Apache-2.0
#include "daemon/status_json.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "probes/card.h"
#include "report/json_parts.h"

namespace smaps_audit::service {
namespace {

using Json = nlohmann::ordered_json;

double seconds(Nanoseconds duration) { return std::chrono::duration<double>(duration).count(); }

Json seconds_or_null(const std::optional<Nanoseconds>& duration) {
  return duration ? Json(seconds(*duration)) : Json(nullptr);
}

Json age_or_null(const Snapshot& snapshot, const std::optional<Nanoseconds>& wall) {
  if (!wall) return nullptr;
  return std::max(0.0, seconds(snapshot.taken - *wall));
}

const char* class_word(std::string_view id) {
  return probes::class_of(id) == DefectClass::finding ? "finding" : "note";
}

// By open findings, and by the card.
Json defects_json(const Snapshot& snapshot) {
  std::map<std::string, std::set<std::string>> seen_by;
  for (const FindingSum& sum : snapshot.findings) {
    if (!sum.defect.empty()) seen_by[sum.defect].insert("audit");
  }
  if (snapshot.card) {
    for (const probes::CardRow& row : snapshot.card->defects) {
      if (row.state == probes::DefectState::present) seen_by[row.id].insert("probe");
    }
  }
  Json list = Json::array();
  for (const auto& [id, who] : seen_by) {
    list.push_back(Json{
        {"id", id}, {"title", probes::title_of(id)}, {"class", class_word(id)}, {"seen_by", who}});
  }
  return list;
}

// A text that may name files of this host; who may not see those gets `instead`.
Json text_for(bool all, const std::string& text, const char* instead) {
  if (text.empty()) return nullptr;
  return all ? text : std::string{instead};
}

constexpr auto kSeeTheLog = "the log says what is wrong";

Json state_json(const Snapshot& snapshot, bool all) {
  Json degraded = Json::array();
  if (!snapshot.worker.running) degraded.push_back("No worker runs at this moment.");
  if (!snapshot.store.healthy) {
    degraded.push_back("The store: " + (all ? snapshot.store.problem : std::string{kSeeTheLog}));
  }
  if (snapshot.store.captures_lost != 0) {
    degraded.push_back(std::to_string(snapshot.store.captures_lost) +
                       " captures could not be made or kept.");
  }
  return {{"reading", snapshot.reading},
          {"paused_reason",
           text_for(all, snapshot.paused_by, "the configuration or the off file says so")},
          {"degraded", degraded},
          {"config_error", text_for(all, snapshot.config_problem, kSeeTheLog)}};
}

Json totals_json(const Snapshot& snapshot) {
  Json json{{"processes", snapshot.processes}, {"kernel_threads", snapshot.kernel_threads}};
  std::uint64_t judged = 0;
  for (const Verdict verdict : kVerdicts) {
    const auto count = snapshot.verdicts.at(static_cast<std::size_t>(verdict));
    json[std::string{name_of(verdict)}] = count;
    judged += count;
  }
  std::uint64_t with_finding = 0;
  std::uint64_t deficit = 0;
  for (const GroupSnapshot& group : snapshot.groups) {
    with_finding += group.processes_with_finding;
    deficit += group.rss_deficit_bytes;
  }
  json["pending"] = snapshot.processes - judged;
  json["processes_with_finding"] = with_finding;
  json["rss_deficit_bytes"] = deficit;
  return json;
}

void put_memory(Json& json, const std::string& field, const MemorySum& sum) {
  const bool known = sum.processes != 0;
  json["reported_" + field + "_bytes"] = known ? Json(sum.reported_bytes) : Json(nullptr);
  json["true_" + field + "_low_bytes"] = known ? Json(sum.truth.low) : Json(nullptr);
  json["true_" + field + "_high_bytes"] = known ? Json(sum.truth.high) : Json(nullptr);
}

Json groups_json(const Snapshot& snapshot) {
  Json list = Json::array();
  for (const GroupSnapshot& group : snapshot.groups) {
    if (group.processes == 0) continue;
    Json json{{"name", group.name},
              {"configured", group.configured},
              {"processes", group.processes},
              {"compared_processes", group.rss.processes}};
    put_memory(json, "rss", group.rss);
    put_memory(json, "pss", group.pss);
    json["findings"] = group.findings;
    json["processes_with_finding"] = group.processes_with_finding;
    json["rss_deficit_bytes"] = group.rss_deficit_bytes;
    json["defects"] = group.defects;
    json["oldest_verdict_seconds"] = age_or_null(snapshot, group.oldest_verdict);
    list.push_back(std::move(json));
  }
  return list;
}

Json findings_json(const Snapshot& snapshot, bool all) {
  Json list = Json::array();
  for (const FindingSum& sum : all ? snapshot.open_findings : snapshot.findings) {
    Json json{{"group", sum.group},
              {"check", sum.check},
              {"field", sum.field},
              {"interface", name_of(sum.interface)},
              {"direction", name_of(sum.direction)},
              {"defect", text_or_null(sum.defect)},
              {"processes", sum.processes},
              {"error_bytes", sum.error_bytes},
              {"first_seen", time_json(sum.first_seen)},
              {"last_seen", time_json(sum.last_seen)}};
    if (all) {
      json["pid"] = sum.pid;
      json["comm"] = text_or_null(sum.comm);
    }
    list.push_back(std::move(json));
  }
  return list;
}

Json coverage_json(const Snapshot& snapshot) {
  std::optional<Nanoseconds> oldest;
  for (const GroupSnapshot& group : snapshot.groups) {
    if (group.oldest_verdict && (!oldest || *group.oldest_verdict < *oldest)) {
      oldest = group.oldest_verdict;
    }
  }
  const ScheduleStatistics& schedule = snapshot.schedule;
  return {{"conclusive_ratio", snapshot.coverage ? Json(*snapshot.coverage) : Json(nullptr)},
          {"oldest_verdict_seconds", age_or_null(snapshot, oldest)},
          {"rotation_seconds", seconds_or_null(schedule.last_rotation_length)},
          {"last_sweep_age_seconds", seconds_or_null(schedule.last_sweep_age)},
          {"sweeps", schedule.sweeps},
          {"overruns", schedule.overruns},
          {"quarantined", schedule.quarantined + schedule.unlisted},
          {"beyond_stall_budget", schedule.beyond_stall_budget},
          {"inconclusive_reasons", snapshot.inconclusive_reasons}};
}

Json cost_json(const Snapshot& snapshot, const ProcessCost& cost) {
  std::uint64_t restarts = 0;
  for (const auto& [cause, count] : snapshot.worker.restarts) restarts += count;
  const double cpu = cost.cpu_seconds + seconds(snapshot.worker.cpu);
  const double lived = seconds(snapshot.taken - snapshot.started);
  return {{"cpu_ratio", lived > 0 ? Json(cpu / lived) : Json(nullptr)},
          {"cpu_budget_ratio", snapshot.cpu_budget_share},
          {"cpu_seconds", cpu},
          {"rss_bytes", cost.resident_bytes + snapshot.worker.peak_rss_bytes},
          {"longest_read_seconds", seconds(snapshot.worker.longest_read)},
          {"worst_predicted_stall_seconds", seconds(snapshot.schedule.worst_predicted_stall)},
          {"stall_budget_seconds", seconds(snapshot.stall_budget)},
          {"worker_restarts", restarts}};
}

Json store_json(const StoreStatistics& store, bool all) {
  return {{"healthy", store.healthy},
          {"problem", text_for(all, store.problem, kSeeTheLog)},
          {"findings", or_null(store.findings)},
          {"open_findings", store.open_findings},
          {"captures", or_null(store.captures)},
          {"bytes", or_null(store.bytes)}};
}

Json card_json(const std::optional<probes::BehaviourCard>& card) {
  if (!card) return nullptr;
  Json defects = Json::array();
  for (const probes::CardRow& row : card->defects) {
    defects.push_back(Json{{"id", row.id},
                           {"title", probes::title_of(row.id)},
                           {"class", class_word(row.id)},
                           {"state", name_of(row.state)},
                           {"reason", text_or_null(row.reason)}});
  }
  return {{"taken", time_json(card->taken)},
          {"kernel_release", text_or_null(card->kernel_release)},
          {"livepatches", card->livepatches},
          {"defects", defects}};
}

}  // namespace

std::string status_json(const Snapshot& snapshot, const ProcessCost& cost, bool all) {
  Json json;
  json["schema"] = "smaps-audit.status/1";
  json["tool"] = Json{{"version", snapshot.tool_version}};
  json["time"] = time_json(snapshot.taken);
  json["started"] = time_json(snapshot.started);
  json["refresh_seconds"] = std::clamp(seconds(snapshot.interval) / 3, 2.0, 60.0);
  json["interval_seconds"] = seconds(snapshot.interval);
  json["kernel"] = Json{{"release", text_or_null(snapshot.host.kernel_release)},
                        {"machine", text_or_null(snapshot.host.machine)},
                        {"defects", defects_json(snapshot)}};
  json["state"] = state_json(snapshot, all);
  json["totals"] = totals_json(snapshot);
  json["groups"] = groups_json(snapshot);
  json["findings"] = findings_json(snapshot, all);
  json["coverage"] = coverage_json(snapshot);
  json["cost"] = cost_json(snapshot, cost);
  json["store"] = store_json(snapshot.store, all);
  json["card"] = card_json(snapshot.card);
  return dump(json, -1) + "\n";
}

}  // namespace smaps_audit::service
