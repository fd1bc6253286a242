// SPDX-License-Identifier: Apache-2.0
#include "report/process_json.h"

#include <array>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>

#include "base/find_named.h"
#include "base/parse_int.h"
#include "report/report.h"

namespace smaps_audit {
namespace {

using Json = nlohmann::json;

// Thrown by what follows, caught in process_from_json(), beside the library's own.
struct BadReport : std::runtime_error {
  using std::runtime_error::runtime_error;
};

template <class Enum, std::size_t N>
Enum named(const std::array<Enum, N>& values, const Json& json) {
  const auto word = json.get<std::string>();
  if (const auto value = find_named(values, word)) return *value;
  throw BadReport{"\"" + word + "\" is no word for it"};
}

std::uint64_t number(const Json& json) {
  if (!json.is_number_unsigned()) throw BadReport{"a number is missing"};
  return json.get<std::uint64_t>();
}

std::optional<std::uint64_t> number_or_null(const Json& parent, const char* key) {
  const auto found = parent.find(key);
  if (found == parent.end() || found->is_null()) return std::nullopt;
  return number(*found);
}

std::string text_or_empty(const Json& parent, const char* key) {
  const auto found = parent.find(key);
  return found == parent.end() || found->is_null() ? "" : found->get<std::string>();
}

Interval interval(const Json& low, const Json& high) {
  const Interval value{number(low), number(high)};
  if (value.low > value.high) throw BadReport{"an interval is reversed"};
  return value;
}

std::uint64_t address(const Json& json) {
  const auto value = parse_unsigned(json.get<std::string>(), 16);
  if (!value) throw BadReport{"an address is none"};
  return *value;
}

Finding finding_from(const Json& json) {
  Finding finding;
  finding.check = json.at("check").get<std::string>();
  finding.direction = named(kDirections, json.at("direction"));
  finding.field = json.at("field").get<std::string>();
  finding.interface = named(kInterfaces, json.at("interface"));
  if (const auto& against = json.at("against"); !against.is_null()) {
    finding.against = named(kInterfaces, against);
  }
  finding.reported_bytes = number(json.at("reported_bytes"));
  finding.expected = interval(json.at("expected_low_bytes"), json.at("expected_high_bytes"));
  finding.error_bytes = number(json.at("error_bytes"));
  finding.exact = json.at("exact").get<bool>();
  finding.brackets = number(json.at("brackets"));
  finding.basis = named(kBases, json.at("basis"));
  if (const auto defect = text_or_empty(json, "defect"); !defect.empty()) finding.defect = defect;
  if (const auto& cause = json.at("cause"); !cause.is_null()) finding.cause = named(kCauses, cause);
  finding.vmas_total = number(json.at("vmas_total"));
  for (const Json& vma : json.at("vmas")) {
    if (finding.vmas.size() == kMaxListedVmas) throw BadReport{"more than 64 mappings"};
    finding.vmas.push_back({.start = address(vma.at("start")),
                            .end = address(vma.at("end")),
                            .name = vma.at("name").get<std::string>(),
                            .error_bytes = number(vma.at("error_bytes"))});
  }
  return finding;
}

std::vector<Finding> findings_from(const Json& json) {
  std::vector<Finding> findings;
  for (const Json& finding : json) findings.push_back(finding_from(finding));
  return findings;
}

ReportedMemory reported_from(const Json& json) {
  return {.rss_bytes = number_or_null(json, "rss_bytes"),
          .pss_bytes = number_or_null(json, "pss_bytes"),
          .anon_huge_bytes = number_or_null(json, "anon_huge_bytes"),
          .status_rss_bytes = number_or_null(json, "status_rss_bytes"),
          .rollup_rss_bytes = number_or_null(json, "rollup_rss_bytes"),
          .numa_maps_bytes = number_or_null(json, "numa_maps_bytes")};
}

TrueMemory truth_from(const Json& json) {
  TrueMemory truth;
  truth.rss = interval(json.at("rss_low_bytes"), json.at("rss_high_bytes"));
  if (!json.at("pss_low_bytes").is_null()) {
    truth.pss = interval(json.at("pss_low_bytes"), json.at("pss_high_bytes"));
  }
  truth.by_scan = json.at("source") == "pagemap_scan";
  return truth;
}

ProcessReport process_from(const Json& json) {
  ProcessReport process;
  const std::uint64_t pid = number(json.at("pid"));
  if (pid == 0 || pid > INT32_MAX) throw BadReport{"no pid"};
  process.pid = static_cast<int>(pid);
  process.start_time_ticks = number_or_null(json, "start_time_ticks").value_or(0);
  process.comm = text_or_empty(json, "comm");
  process.verdict = named(kVerdicts, json.at("verdict"));
  process.reason = text_or_empty(json, "reason");
  process.explanation = text_or_empty(json, "explanation");
  process.kernel_thread = json.at("kernel_thread").get<bool>();
  process.reported = reported_from(json.at("reported"));
  if (!json.at("truth").is_null()) process.truth = truth_from(json.at("truth"));
  process.open_bytes = number_or_null(json, "open_bytes").value_or(0);
  process.audited_bytes = number_or_null(json, "audited_bytes").value_or(0);
  process.vmas = number_or_null(json, "vmas").value_or(0);
  process.brackets = number_or_null(json, "brackets").value_or(0);
  process.worst_suspect_steps = number_or_null(json, "worst_suspect_steps").value_or(0);
  process.unknown_fields = number_or_null(json, "unknown_fields").value_or(0);
  process.findings = findings_from(json.at("findings"));
  process.notes = findings_from(json.at("notes"));
  return process;
}

}  // namespace

std::string process_to_json(const ProcessReport& process) {
  std::ostringstream line;
  write_process_line(line, process);
  std::string text = line.str();
  text.pop_back();
  return text;
}

Result<ProcessReport> process_from_json(std::string_view text) {
  try {
    return process_from(Json::parse(text));
  } catch (const std::exception& error) {
    return Error{.code = ErrorCode::malformed,
                 .what = std::string{"no report of a process: "} + error.what()};
  }
}

}  // namespace smaps_audit
