// SPDX-License-Identifier: Apache-2.0
#include "daemon/log.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <set>
#include <string>
#include <utility>

namespace smaps_audit::service {
namespace {

const std::chrono::system_clock::time_point kWhen{std::chrono::seconds{1795416550}};

constexpr std::array kNamedEvents{Event::finding_opened,  Event::finding_resolved,
                                  Event::worker_replaced, Event::target_quarantined,
                                  Event::store_degraded,  Event::configuration_refused,
                                  Event::reading_paused};
static_assert(kNamedEvents.size() == static_cast<std::size_t>(Event::reading_paused),
              "every event but `other`");

// The ids of the entries that say something: "-- ID", a subject, a blank line, a text.
std::multiset<std::string> explained_ids() {
  std::ifstream catalog{SMAPS_AUDIT_CATALOG};
  std::multiset<std::string> ids;
  std::string id;
  bool has_subject = false;
  bool in_text = false;
  for (std::string line; std::getline(catalog, line);) {
    if (line.starts_with("-- ")) {
      id = line.substr(3);
      has_subject = in_text = false;
    } else if (line.starts_with("Subject: ") && !in_text) {
      has_subject = true;
    } else if (line.empty()) {
      in_text = true;
    } else if (in_text && has_subject && !id.empty()) {
      ids.insert(std::exchange(id, {}));
    }
  }
  return ids;
}

TEST(Log, QuotesWhatATargetCallsItself) {
  EXPECT_EQ(logfmt_line(kWhen, LogLevel::warning, "a finding",
                        {{"comm", "a \"b\"\n\x1b[31m"}, {"pid", "7"}}),
            "ts=2026-11-23T06:49:10.000Z level=warning msg=\"a finding\" "
            "comm=\"a \\\"b\\\"\\\\x0a\\\\x1b[31m\" pid=7");
  EXPECT_EQ(json_line(kWhen, LogLevel::info, "x", {{"comm", "\xff"}}),
            "{\"ts\":\"2026-11-23T06:49:10.000Z\",\"level\":\"info\",\"msg\":\"x\","
            "\"comm\":\"\\\\xff\"}");
}

TEST(Log, SaysAStateOnceAndCountsTheRest) {
  testing::internal::CaptureStderr();
  Log log{{.level = LogLevel::info, .format = LogFormat::logfmt}};
  for (int i = 0; i < 3; ++i)
    log.state("store", LogLevel::error, Event::store_degraded, "disk full");
  log.state("store", LogLevel::error, Event::store_degraded, "");
  log.state("store", LogLevel::error, Event::store_degraded, "");
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 2) << said;
  EXPECT_NE(said.find("store: disk full"), std::string::npos);
  EXPECT_NE(said.find("well again"), std::string::npos);
  EXPECT_NE(said.find("said_before=3"), std::string::npos) << said;
}

TEST(Log, LeavesOutWhatIsBelowItsLevel) {
  testing::internal::CaptureStderr();
  Log log{{.level = LogLevel::warning, .format = LogFormat::json}};
  log.info("chatter");
  log.error("trouble");
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_EQ(said.find("chatter"), std::string::npos);
  EXPECT_NE(said.find("trouble"), std::string::npos);
}

TEST(Log, GivesEachEventAMessageIdOfItsOwn) {
  std::set<std::string_view> ids;
  for (const Event event : kNamedEvents) {
    EXPECT_EQ(message_id_of(event).size(), 32U);
    EXPECT_TRUE(ids.insert(message_id_of(event)).second);
  }
  EXPECT_EQ(message_id_of(Event::other), "");
}

TEST(Log, ExplainsEachMessageIdOnceInTheJournalsCatalogue) {
  std::multiset<std::string> ids;
  for (const Event event : kNamedEvents) ids.emplace(message_id_of(event));
  EXPECT_EQ(explained_ids(), ids);
}

}  // namespace
}  // namespace smaps_audit::service
