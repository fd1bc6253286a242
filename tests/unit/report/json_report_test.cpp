// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "report/report.h"
#include "sample_reports.h"

namespace smaps_audit {
namespace {

using Json = nlohmann::ordered_json;

std::string text_of(const AuditReport& report) {
  std::ostringstream out;
  write_json(out, report);
  return out.str();
}

Json json_of(const ProcessReport& process) {
  return Json::parse(text_of(samples::report_of({process})))["processes"][0];
}

std::vector<std::string> keys_of(const Json& object) {
  std::vector<std::string> keys;
  for (const auto& item : object.items()) keys.push_back(item.key());
  return keys;
}

TEST(JsonReport, KeepsNamesAndOrderOfTheSchema) {
  const Json json = Json::parse(text_of(samples::report_of({samples::k01_by_mprotect()})));
  EXPECT_EQ(keys_of(json),
            (std::vector<std::string>{"schema", "tool", "host", "started", "duration_seconds",
                                      "summary", "processes", "notes", "probes"}));
  EXPECT_EQ(json["schema"], "smaps-audit.report/1");
  EXPECT_EQ(keys_of(json["host"]),
            (std::vector<std::string>{"kernel_release", "machine", "boot_id", "page_size",
                                      "pmd_size", "cpus", "numa_nodes", "numa_balancing", "thp"}));
  EXPECT_EQ(keys_of(json["summary"]),
            (std::vector<std::string>{"audited", "consistent", "finding", "inconclusive", "denied",
                                      "vanished", "skipped", "kernel_threads", "coverage"}));
  EXPECT_EQ(json["started"], "2023-11-14T22:13:20.000042Z");
  EXPECT_DOUBLE_EQ(json["duration_seconds"], 1.5);
}

TEST(JsonReport, TellsAFindingInFull) {
  const Json finding = json_of(samples::k01_by_mprotect())["findings"][0];
  EXPECT_EQ(finding["interface"], "smaps");
  EXPECT_EQ(finding["direction"], "deficit");
  EXPECT_EQ(finding["error_bytes"], 64 * samples::kMiB);
  EXPECT_EQ(finding["exact"], true);
  EXPECT_EQ(finding["basis"], "asleep");
  EXPECT_EQ(finding["defect"], "K01");
  EXPECT_EQ(finding["cause"], "mprotect");
  EXPECT_EQ(finding["vmas"][0]["start"], "7f1200000000");
  EXPECT_TRUE(finding["against"].is_null());
}

TEST(JsonReport, WritesNullForWhatIsUnknownAndNeverZero) {
  const Json process = json_of(samples::denied());
  for (const auto& item : process["reported"].items()) EXPECT_TRUE(item.value().is_null());
  for (const char* key : {"truth", "start_time_ticks", "open_bytes", "audited_bytes", "vmas",
                          "brackets", "unknown_fields"}) {
    EXPECT_TRUE(process[key].is_null()) << key;
  }
  const Json host = Json::parse(text_of(AuditReport{}))["host"];
  EXPECT_TRUE(host["kernel_release"].is_null());
  EXPECT_TRUE(host["numa_balancing"].is_null());
}

TEST(JsonReport, WritesZeroWhereItWasMeasured) {
  ProcessReport process = samples::consistent();
  process.reported.rss_bytes = 0;
  process.open_bytes = 0;
  const Json json = json_of(process);
  EXPECT_EQ(json["reported"]["rss_bytes"], 0);
  EXPECT_EQ(json["open_bytes"], 0);
}

TEST(JsonReport, EscapesBytesThatAreNotUtf8) {
  ProcessReport process = samples::k01_by_mprotect();
  process.comm = "a\xff\xfe";
  process.explanation = "\xc3\xa9 \xed\xa0\x80";
  process.findings[0].vmas[0].name = "/tmp/\x80 \x1b[2J";
  const Json json = json_of(process);
  EXPECT_EQ(json["comm"], "a\\xff\\xfe");
  EXPECT_EQ(json["explanation"], "\xc3\xa9 \\xed\\xa0\\x80");
  EXPECT_EQ(json["findings"][0]["vmas"][0]["name"], "/tmp/\\x80 \x1b[2J");
}

TEST(JsonReport, IsAsciiWithoutControlBytesExceptLineFeeds) {
  ProcessReport process = samples::k01_by_mprotect();
  process.comm = "\x1b\x9b\xc2\x9b\xe2\x80\xae";
  const std::string text = text_of(samples::report_of({process}));
  for (const char byte : text) EXPECT_TRUE(byte == '\n' || (byte >= 0x20 && byte < 0x7f));
}

TEST(JsonReport, ListsAtMost64Vmas) {
  ProcessReport process = samples::k01_by_hints_with_many_vmas();
  process.findings[0].vmas.push_back({});
  const Json finding = json_of(process)["findings"][0];
  EXPECT_EQ(finding["vmas"].size(), 64U);
  EXPECT_EQ(finding["vmas_total"], 100);
}

TEST(JsonReport, WritesAProcessLineThatIsOneElementOfProcesses) {
  std::ostringstream line;
  write_process_line(line, samples::k01_by_mprotect());
  EXPECT_EQ(line.str().find('\n'), line.str().size() - 1);
  EXPECT_EQ(Json::parse(line.str()), json_of(samples::k01_by_mprotect()));
}

}  // namespace
}  // namespace smaps_audit
