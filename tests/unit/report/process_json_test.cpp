// SPDX-License-Identifier: Apache-2.0
#include "report/process_json.h"

#include <gtest/gtest.h>

#include <string>

#include "sample_reports.h"

namespace smaps_audit {
namespace {

TEST(ProcessJson, SaysTheSameAfterThereAndBack) {
  for (const ProcessReport& process :
       {samples::k01_by_mprotect(), samples::k01_by_hints_with_many_vmas(), samples::k03(),
        samples::undecided_pair(), samples::unknown_excess(), samples::consistent_with_notes(),
        samples::inconclusive(), samples::denied(), samples::vanished(),
        samples::kernel_thread()}) {
    const std::string text = process_to_json(process);
    const auto back = process_from_json(text);
    ASSERT_TRUE(back.ok()) << back.error().message();
    EXPECT_EQ(process_to_json(*back), text);
  }
}

std::string with(const std::string& old_part, const std::string& new_part) {
  std::string text = process_to_json(samples::k01_by_mprotect());
  const auto at = text.find(old_part);
  EXPECT_NE(at, std::string::npos) << old_part;
  return text.replace(at, old_part.size(), new_part);
}

TEST(ProcessJson, RefusesWhatNoAuditWrites) {
  for (const std::string& text :
       {std::string{"{"}, std::string{"[]"}, std::string{"null"}, with("\"pid\":", "\"pid\":-"),
        with("\"verdict\":\"finding\"", "\"verdict\":\"guilty\""),
        with("\"verdict\":\"finding\"", "\"verdict\":7"), with("\"check\":", "\"chek\":"),
        with("\"start\":\"", "\"start\":\"0x"),
        with("\"expected_low_bytes\":", "\"expected_low_bytes\":9"),
        with("\"brackets\":", "\"brackets\":1.")}) {
    const auto process = process_from_json(text);
    ASSERT_FALSE(process.ok()) << text;
    EXPECT_EQ(process.error().code, ErrorCode::malformed);
    EXPECT_NE(process.error().message().find("no report of a process"), std::string::npos);
  }
}

}  // namespace
}  // namespace smaps_audit
