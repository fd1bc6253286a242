// SPDX-License-Identifier: Apache-2.0
#include "daemon/protocol.h"

#include <gtest/gtest.h>

#include <climits>

#include "report/process_json.h"

namespace smaps_audit::service {
namespace {

using namespace std::chrono_literals;

template <class T>
T there_and_back(const T& said) {
  const std::string line = answer_line(said);
  EXPECT_EQ(line.find('\n'), line.size() - 1) << line;
  const auto answer = parse_answer(line);
  EXPECT_TRUE(answer.ok()) << answer.error().message();
  return std::get<T>(*answer);
}

TEST(Protocol, SaysOrdersInWords) {
  const Order audit{.kind = OrderKind::audit, .pid = 4211, .deadline = 60s, .capture = true};
  EXPECT_EQ(order_line(audit), "audit 4211 60000000000 capture\n");
  for (const Order& order :
       {audit, Order{.kind = OrderKind::list}, Order{.kind = OrderKind::screen, .pids = {1}},
        Order{.kind = OrderKind::screen, .pids = {1, 7}, .most_page_table_bytes = 4096},
        Order{.kind = OrderKind::list, .pids = {17, 2147483647}}, Order{.kind = OrderKind::ping},
        Order{.kind = OrderKind::audit, .pid = 7}}) {
    const auto parsed = parse_order(order_line(order));
    ASSERT_TRUE(parsed.ok()) << order_line(order);
    EXPECT_EQ(*parsed, order);
  }
}

TEST(Protocol, RefusesOrdersThatMakeNoSense) {
  for (const std::string line :
       {"", "list 0", "list x", "ping 1", "screen", "screen 0", "screen x", "screen 1",
        "screen x 1", "screen 1 0", "audit 1", "audit 1 -5", "audit 1 5 6", "audit 99999999999 5",
        "quit now", "reboot", "LIST"}) {
    EXPECT_FALSE(parse_order(line).ok()) << line;
  }
}

TEST(Protocol, WritesTheLongestOrderAtOnce) {
  Order order{.kind = OrderKind::list};
  order.pids.assign(kMostPids, INT32_MAX);
  EXPECT_LT(order_line(order).size(), static_cast<std::size_t>(PIPE_BUF));
  EXPECT_TRUE(parse_order(order_line(order)).ok());
  order.pids.push_back(1);
  EXPECT_FALSE(parse_order(order_line(order)).ok());
}

TEST(Protocol, KeepsWhatIsUnknownUnknown) {
  ProcessListing process;
  process.pid = 12;
  process.start_time_ticks = 99;
  process.comm = "a\nb\xff";
  const ProcessListing back = there_and_back(process);
  EXPECT_EQ(back.comm, "a\nb\\xff");
  EXPECT_FALSE(back.uid);
  EXPECT_FALSE(back.rss_bytes);
  EXPECT_FALSE(back.page_table_bytes);
  process.uid = 0;
  process.rss_bytes = 0;
  EXPECT_EQ(there_and_back(process).uid, 0U);
  EXPECT_EQ(there_and_back(process).rss_bytes, 0U);
}

TEST(Protocol, CarriesScreeningsAuditsAndCosts) {
  Screening screening;
  screening.pid = 3;
  screening.suspicious = true;
  screening.read_time = 5ms;
  EXPECT_TRUE(there_and_back(screening).suspicious);
  EXPECT_EQ(there_and_back(LeftOut{.pid = 17}).pid, 17);
  EXPECT_EQ(there_and_back(screening).read_time, 5ms);

  AuditAnswer audit;
  audit.report.pid = 3;
  audit.report.verdict = Verdict::vanished;
  audit.report.reason = "gone";
  audit.json = process_to_json(audit.report);
  audit.capture_bytes = 77;
  const AuditAnswer back = there_and_back(audit);
  EXPECT_EQ(back.report.verdict, Verdict::vanished);
  EXPECT_EQ(back.json, audit.json);
  EXPECT_EQ(back.capture_bytes, 77U);

  EXPECT_EQ(there_and_back(Done{.cpu = 3ms, .wall = 9ms, .peak_rss_bytes = 5}).wall, 9ms);
  const Hello hello = there_and_back(Hello{.worker_pid = 5, .capabilities = {{"wchan", true}}});
  EXPECT_TRUE(hello.capabilities.at("wchan"));
  const auto refused = parse_answer("{\"refused\":\"socket\"}");
  ASSERT_TRUE(refused.ok());
  EXPECT_EQ(std::get<Refused>(*refused).call, "socket");
}

TEST(Protocol, BelievesNothingThatABrokenWorkerSays) {
  for (const std::string line :
       {"", "null", "[]", "{}", "{\"hello\":{}}", "{\"done\":{},\"hello\":{}}", "{\"reboot\":1}",
        "{\"process\":{\"pid\":-1}}", "{\"hello\":{\"worker_pid\":0,\"capabilities\":{}}}",
        "{\"done\":{\"cpu_ns\":1e99,\"wall_ns\":1,\"peak_rss_bytes\":1}}",
        "{\"done\":{\"cpu_ns\":18446744073709551615,\"wall_ns\":1,\"peak_rss_bytes\":1}}",
        "{\"audit\":{\"report\":\"{}\",\"capture_bytes\":null,\"capture_problem\":\"\"}}",
        "{\"refused\":7}", "{\"left_out\":0}"}) {
    const auto answer = parse_answer(line);
    ASSERT_FALSE(answer.ok()) << line;
    EXPECT_EQ(answer.error().code, ErrorCode::malformed);
  }
}

}  // namespace
}  // namespace smaps_audit::service
