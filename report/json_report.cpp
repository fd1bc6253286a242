// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>
#include <ostream>

#include "base/hex.h"
#include "base/utc_text.h"
#include "report/json_parts.h"
#include "report/printable.h"
#include "report/report.h"

namespace smaps_audit {
namespace {

using Json = nlohmann::ordered_json;

Json host_json(const HostInfo& host) {
  Json json;
  json["kernel_release"] = text_or_null(host.kernel_release);
  json["machine"] = text_or_null(host.machine);
  json["boot_id"] = text_or_null(host.boot_id);
  json["page_size"] = host.pages.page_bytes;
  json["pmd_size"] = host.pages.pmd_bytes;
  json["cpus"] = or_null(host.cpus);
  json["numa_nodes"] = or_null(host.numa_nodes);
  json["numa_balancing"] = or_null(host.numa_balancing);
  json["thp"] = host.thp ? text_or_null(*host.thp) : Json(nullptr);
  return json;
}

Json summary_json(const Summary& summary) {
  Json json;
  json["audited"] = summary.audited;
  json["consistent"] = summary.consistent;
  json["finding"] = summary.finding;
  json["inconclusive"] = summary.inconclusive;
  json["denied"] = summary.denied;
  json["vanished"] = summary.vanished;
  json["skipped"] = summary.skipped;
  json["kernel_threads"] = summary.kernel_threads;
  json["coverage"] = summary.coverage();
  return json;
}

Json reported_json(const ReportedMemory& reported) {
  Json json;
  json["rss_bytes"] = or_null(reported.rss_bytes);
  json["pss_bytes"] = or_null(reported.pss_bytes);
  json["anon_huge_bytes"] = or_null(reported.anon_huge_bytes);
  json["status_rss_bytes"] = or_null(reported.status_rss_bytes);
  json["rollup_rss_bytes"] = or_null(reported.rollup_rss_bytes);
  json["numa_maps_bytes"] = or_null(reported.numa_maps_bytes);
  return json;
}

Json truth_json(const TrueMemory& truth) {
  Json json;
  json["rss_low_bytes"] = truth.rss.low;
  json["rss_high_bytes"] = truth.rss.high;
  json["pss_low_bytes"] = truth.pss ? Json(truth.pss->low) : Json(nullptr);
  json["pss_high_bytes"] = truth.pss ? Json(truth.pss->high) : Json(nullptr);
  json["source"] = truth.by_scan ? "pagemap_scan" : "pagemap";
  return json;
}

Json vmas_json(const std::vector<FindingVma>& vmas) {
  Json list = Json::array();
  for (const FindingVma& vma : vmas) {
    if (list.size() == kMaxListedVmas) break;
    Json json;
    json["start"] = hex(vma.start);
    json["end"] = hex(vma.end);
    json["name"] = utf8_or_escaped(vma.name);
    json["error_bytes"] = vma.error_bytes;
    list.push_back(std::move(json));
  }
  return list;
}

Json finding_json(const Finding& finding) {
  Json json;
  json["check"] = finding.check;
  json["direction"] = name_of(finding.direction);
  json["field"] = utf8_or_escaped(finding.field);
  json["interface"] = name_of(finding.interface);
  json["against"] = name_or_null(finding.against);
  json["reported_bytes"] = finding.reported_bytes;
  json["expected_low_bytes"] = finding.expected.low;
  json["expected_high_bytes"] = finding.expected.high;
  json["error_bytes"] = finding.error_bytes;
  json["exact"] = finding.exact;
  json["brackets"] = finding.brackets;
  json["basis"] = name_of(finding.basis);
  json["defect"] = or_null(finding.defect);
  json["cause"] = name_or_null(finding.cause);
  json["vmas_total"] = finding.vmas_total;
  json["vmas"] = vmas_json(finding.vmas);
  return json;
}

Json findings_json(const std::vector<Finding>& findings) {
  Json list = Json::array();
  for (const Finding& finding : findings) list.push_back(finding_json(finding));
  return list;
}

Json host_note_json(const HostNote& note) {
  Json json;
  json["check"] = note.check;
  json["interface"] = note.interface;
  json["field"] = note.field;
  json["cgroup"] = text_or_null(note.cgroup);
  json["direction"] = name_of(note.direction);
  json["counter_low_bytes"] = note.counter.low;
  json["counter_high_bytes"] = note.counter.high;
  json["processes_low_bytes"] = note.processes_low;
  json["processes_high_bytes"] = or_null(note.processes_high);
  json["error_bytes"] = note.error_bytes;
  json["rounds"] = note.rounds;
  json["processes"] = note.processes;
  json["defects"] = note.defects;
  return json;
}

bool was_audited(const ProcessReport& process) {
  return process.verdict == Verdict::consistent || process.verdict == Verdict::finding ||
         process.verdict == Verdict::inconclusive;
}

Json process_json(const ProcessReport& process) {
  const bool audited = was_audited(process);
  // An audit that was broken off counted nothing, which is not the same as none.
  const bool has_counts = audited && process.truth.has_value();
  const auto counted = [has_counts](std::uint64_t value) {
    return has_counts || value != 0 ? Json(value) : Json(nullptr);
  };
  Json json;
  json["pid"] = process.pid;
  json["start_time_ticks"] =
      audited || process.start_time_ticks != 0 ? Json(process.start_time_ticks) : Json(nullptr);
  json["comm"] = text_or_null(process.comm);
  json["verdict"] = name_of(process.verdict);
  json["reason"] = text_or_null(process.reason);
  json["explanation"] = text_or_null(process.explanation);
  json["kernel_thread"] = process.kernel_thread;
  json["reported"] = reported_json(process.reported);
  json["truth"] = process.truth ? truth_json(*process.truth) : Json(nullptr);
  json["open_bytes"] = counted(process.open_bytes);
  json["audited_bytes"] = counted(process.audited_bytes);
  json["vmas"] = counted(process.vmas);
  json["brackets"] = counted(process.brackets);
  json["worst_suspect_steps"] = counted(process.worst_suspect_steps);
  json["unknown_fields"] = counted(process.unknown_fields);
  json["findings"] = findings_json(process.findings);
  json["notes"] = findings_json(process.notes);
  return json;
}

}  // namespace

Json text_or_null(std::string_view bytes) {
  return bytes.empty() ? Json(nullptr) : Json(utf8_or_escaped(bytes));
}

Json time_json(std::chrono::nanoseconds since_epoch) {
  const auto micros = std::chrono::floor<std::chrono::microseconds>(since_epoch) -
                      std::chrono::floor<std::chrono::seconds>(since_epoch);
  return utc_text(since_epoch, "%Y-%m-%dT%H:%M:%S") + "." +
         std::to_string(1'000'000 + micros.count()).substr(1) + "Z";
}

// Everything was made UTF-8 above, so nothing is replaced; and dump cannot throw if that is ever
// wrong. ASCII only: a report that is read on a terminal holds no control character either.
std::string dump(const Json& json, int indent) {
  return json.dump(indent, ' ', true, Json::error_handler_t::replace);
}

Json report_json(const AuditReport& report) {
  Json json;
  json["schema"] = "smaps-audit.report/1";
  json["tool"] = Json{{"version", report.tool_version}};
  json["host"] = host_json(report.host);
  json["started"] = time_json(report.started);
  json["duration_seconds"] = std::chrono::duration<double>(report.duration).count();
  json["summary"] = summary_json(report.summary);
  Json& processes = json["processes"] = Json::array();
  for (const ProcessReport& process : report.processes) processes.push_back(process_json(process));
  Json& notes = json["notes"] = Json::array();
  for (const HostNote& note : report.notes) notes.push_back(host_note_json(note));
  json["probes"] = Json::array();
  return json;
}

void write_json(std::ostream& out, const AuditReport& report) {
  out << dump(report_json(report), 1) << '\n';
}

void write_process_line(std::ostream& out, const ProcessReport& process) {
  out << dump(process_json(process), -1) << '\n';
}

}  // namespace smaps_audit
