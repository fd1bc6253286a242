// SPDX-License-Identifier: Apache-2.0
#include "report/report_schema.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "sample_reports.h"

namespace smaps_audit {
namespace {

using Json = nlohmann::ordered_json;

void collect_paths(const Json& json, const std::string& path, std::set<std::string>& paths) {
  if (json.is_array()) {
    for (const Json& item : json) collect_paths(item, path, paths);
  }
  if (!json.is_object()) return;
  for (const auto& item : json.items()) {
    const std::string name = path.empty() ? item.key() : path + "." + item.key();
    paths.insert(name);
    collect_paths(item.value(), name, paths);
  }
}

// Whole validation: tests/golden/schema_test.py.
TEST(ReportSchema, DescribesEveryFieldThatIsWritten) {
  std::ostringstream out;
  write_json(
      out, samples::report_of({samples::k01_by_hints_with_many_vmas(), samples::undecided_pair()}));
  std::set<std::string> written;
  collect_paths(Json::parse(out.str()), "", written);
  for (const std::string& path : written) {
    const bool described =
        std::any_of(report_fields().begin(), report_fields().end(),
                    [&](const ReportField& field) { return field.path == path; });
    EXPECT_TRUE(described) << path << " is missing in schema/report-1.schema.json";
  }
}

TEST(ReportSchema, GivesEveryFieldAMeaningAndAType) {
  EXPECT_GT(report_fields().size(), 60U);
  for (const ReportField& field : report_fields()) {
    EXPECT_TRUE(field.meaning.ends_with('.')) << field.path << ": " << field.meaning;
    EXPECT_FALSE(field.type.empty()) << field.path;
  }
}

TEST(ReportSchema, HoldsTheWordsOfTheProgram) {
  std::set<std::string> words;
  for (const ReportWord& word : report_words()) words.insert(word.path + "=" + word.word);
  for (const Verdict verdict : {Verdict::consistent, Verdict::finding, Verdict::inconclusive,
                                Verdict::denied, Verdict::vanished, Verdict::skipped}) {
    EXPECT_TRUE(words.contains("processes.verdict=" + std::string{name_of(verdict)}));
  }
  for (const Basis basis : {Basis::asleep, Basis::series, Basis::same_record, Basis::frozen}) {
    EXPECT_TRUE(words.contains("processes.findings.basis=" + std::string{name_of(basis)}));
  }
  for (const Cause cause : {Cause::mprotect, Cause::numa_hint}) {
    EXPECT_TRUE(words.contains("processes.findings.cause=" + std::string{name_of(cause)}));
  }
  for (int i = 0; name_of(static_cast<Interface>(i)) != "unknown"; ++i) {
    const std::string name{name_of(static_cast<Interface>(i))};
    EXPECT_TRUE(words.contains("processes.findings.interface=" + name)) << name;
    EXPECT_TRUE(words.contains("processes.findings.against=" + name)) << name;
  }
}

}  // namespace
}  // namespace smaps_audit
