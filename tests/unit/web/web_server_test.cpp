// SPDX-License-Identifier: Apache-2.0
#include "daemon/web/web_server.h"

#include <crypt.h>
#include <gtest/gtest.h>

#include <mutex>
#include <stdexcept>
#include <thread>

#include "tests/support/temporary_directory.h"
#include "tests/unit/web/http_client.h"

namespace smaps_audit {
namespace {

using std::chrono::milliseconds;

// alice:right and alice:wrong
constexpr const char* kRight = "Authorization: Basic YWxpY2U6cmlnaHQ=\r\n";
constexpr const char* kWrong = "Authorization: Basic YWxpY2U6d3Jvbmc=\r\n";

HttpResponse answer(const HttpRequest& request) {
  if (request.path == "/throws") throw std::runtime_error("no");
  if (request.path == "/nobody") return {.status = 204, .content_type = {}, .body = nullptr};
  if (request.path == "/page")
    return http_response(200, "text/html; charset=utf-8", "<p>hello</p>");
  if (request.path != "/who") return text_response(404, "nothing here");
  std::string text = may_see_all(request) ? "all" : "sums";
  for (const auto& [name, value] : request.query)
    text.append(" ").append(name).append("=").append(value);
  return text_response(200, text);
}

class WebServerTest : public testing::Test {
 protected:
  void start(WebOptions options = {}) {
    if (options.listen_addresses.empty()) options.listen_addresses = {"127.0.0.1:0"};
    auto started = WebServer::start(options, answer);
    ASSERT_TRUE(started) << started.error().message();
    server = *std::move(started);
    address = server->addresses().front();
  }
  void configure(const std::string& text) { write_whole_file(directory.file("web.yml"), text); }
  static std::string user_alice() {
    crypt_data workspace{};
    const char* const hash = ::crypt_r("right", "$2y$04$abcdefghijklmnopqrstuu", &workspace);
    return std::string("basic_auth_users: {alice: \"") + hash + "\"}\n";
  }
  WebOptions configured(const std::string& text) {
    configure(text);
    WebOptions options;
    options.web_config_file = directory.file("web.yml");
    return options;
  }
  /// Until it holds; a test that waits for ever is ended by ctest.
  template <class Condition>
  static void wait_until(Condition condition) {
    while (!condition()) std::this_thread::sleep_for(milliseconds(5));
  }

  TemporaryDirectory directory;
  std::unique_ptr<WebServer> server;
  std::string address;
};

TEST_F(WebServerTest, AnswersWithTheHeadersThatProtect) {
  start();
  const std::string response = ask(address, "GET /who?a=1&b=x%20y&c");
  EXPECT_EQ(status_of(response), 200);
  EXPECT_EQ(body_of(response), "sums a=1 b=x y c=\n");
  EXPECT_EQ(header_of(response, "Content-Length"), "18");
  EXPECT_EQ(header_of(response, "Content-Type"), "text/plain; charset=utf-8");
  EXPECT_EQ(header_of(response, "X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(header_of(response, "Cache-Control"), "no-store");
  EXPECT_EQ(header_of(response, "Content-Security-Policy"), std::nullopt);
  const std::string page = ask(address, "GET /page");
  const auto policy = header_of(page, "Content-Security-Policy");
  ASSERT_TRUE(policy);
  EXPECT_TRUE(policy->starts_with("default-src 'none'"));
  EXPECT_EQ(policy->find("unsafe"), std::string::npos);
}

TEST_F(WebServerTest, SendsNoBodyToHead) {
  start();
  const std::string response = ask(address, "HEAD /who");
  EXPECT_EQ(status_of(response), 200);
  EXPECT_EQ(header_of(response, "Content-Length"), "5");
  EXPECT_EQ(body_of(response), "");
}

TEST_F(WebServerTest, RefusesOtherMethodsAndBodies) {
  start();
  for (const char* const method : {"POST", "PUT", "DELETE", "OPTIONS", "BREW"}) {
    const std::string response = ask(address, std::string(method) + " /who");
    EXPECT_EQ(status_of(response), 405) << method;
    EXPECT_EQ(header_of(response, "Allow"), "GET, HEAD");
  }
  EXPECT_EQ(status_of(ask(address, "GET /who", "Content-Length: 1000000\r\n")), 413);
  EXPECT_EQ(status_of(ask(address, "GET /who", "Transfer-Encoding: chunked\r\n")), 413);
  EXPECT_EQ(status_of(ask(address, "GET /who", "Content-Length: 0\r\n")), 200);
}

TEST_F(WebServerTest, SurvivesWhatTheHandlerDoes) {
  start();
  EXPECT_EQ(status_of(ask(address, "GET /throws")), 500);
  EXPECT_EQ(status_of(ask(address, "GET /nobody")), 204);
  EXPECT_EQ(status_of(ask(address, "GET /none")), 404);
}

TEST_F(WebServerTest, BoundsTheSizeOfARequest) {
  WebOptions options;
  options.limits.request_bytes = 8192;
  start(options);
  const int status = status_of(ask(address, "GET /who", "X: " + std::string(9000, 'x') + "\r\n"));
  EXPECT_TRUE(status == 413 || status == 431) << status;
  EXPECT_EQ(status_of(ask(address, "GET /" + std::string(9000, 'x'))), 414);
}

TEST_F(WebServerTest, ServesGoodClientsBesideGarbage) {
  start();
  for (const char* const garbage :
       {"\x16\x03\x01\x02\x00\x01", "\r\n\r\n\r\n", "GET\r\n\r\n", "\0\0\0\0",
        "GET / HTTP/9.9\r\n\r\n", "GET /who HTTP/1.1\r\n\r\n"}) {
    const UniqueFd connection = connect_to(address);
    send_text(connection, garbage);
  }
  EXPECT_EQ(status_of(ask(address, "GET /who")), 200);
}

TEST_F(WebServerTest, CountsWhatHappens) {
  start();
  ask(address, "GET /metrics");
  { const UniqueFd silent = connect_to(address); }
  wait_until(
      [&] { return server->counts().incomplete == 1 && server->counts().open_connections == 0; });
  const WebCounts counts = server->counts();
  EXPECT_EQ(counts.accepted, 2U);
  std::uint64_t missing = 0;
  for (const RequestCount& row : counts.requests) {
    if (row.path_class == PathClass::metrics && row.status == 404) missing = row.count;
  }
  EXPECT_EQ(missing, 1U);
}

TEST_F(WebServerTest, TellsUnixSocketsFromTcp) {
  const std::string path = "unix:" + directory.file("http.sock");
  WebOptions options = configured(user_alice());
  options.listen_addresses = {"127.0.0.1:0", path};
  start(options);
  EXPECT_EQ(server->addresses().back(), path);
  EXPECT_EQ(body_of(ask(path, "GET /who")), "all\n") << "its rights have said who may";
  EXPECT_EQ(status_of(ask(address, "GET /who")), 401);
}

TEST_F(WebServerTest, AsksForPasswordsOnTcp) {
  start(configured(user_alice()));
  const std::string without = ask(address, "GET /who");
  EXPECT_EQ(status_of(without), 401);
  EXPECT_TRUE(header_of(without, "WWW-Authenticate"));
  EXPECT_EQ(server->counts().auth_failures, 0U) << "none was given";
  const std::string wrong = ask(address, "GET /who", kWrong);
  EXPECT_EQ(status_of(wrong), 401);
  EXPECT_EQ(server->counts().auth_failures, 1U);
  EXPECT_EQ(status_of(ask(address, "GET /none", kRight)), 404);
  EXPECT_EQ(body_of(ask(address, "GET /who", kRight)), "sums\n") << "not encrypted";
}

TEST_F(WebServerTest, RefusesAnAddressThatGuesses) {
  WebOptions options = configured(user_alice());
  options.passwords.failures_per_address = 0.5;
  options.passwords.forgiven_per_second = 0;
  options.passwords.rest_factor = 0;
  start(options);
  EXPECT_EQ(status_of(ask(address, "GET /who", kRight)), 200);
  EXPECT_EQ(status_of(ask(address, "GET /who", kWrong)), 401);
  const std::string third = ask(address, "GET /who", "Authorization: Basic YWxpY2U6Z3Vlc3M=\r\n");
  EXPECT_EQ(status_of(third), 429);
  EXPECT_TRUE(header_of(third, "Retry-After"));
  EXPECT_EQ(server->counts().auth_refused, 1U);
  EXPECT_EQ(status_of(ask(address, "GET /who", kRight)), 200) << "what is known stays known";
}

TEST_F(WebServerTest, SaysWhenThereAreTooManyPasswords) {
  WebOptions options = configured(user_alice());
  options.passwords.queue_length = 0;
  start(options);
  const std::string response = ask(address, "GET /who", kRight);
  EXPECT_EQ(status_of(response), 503);
  EXPECT_TRUE(header_of(response, "Retry-After"));
}

TEST_F(WebServerTest, StopsWhilePasswordsAreChecked) {
  start(configured("basic_auth_users: {alice: \"$2y$12$abcdefghijklmnopqrstuu" +
                   std::string(31, '.') + "\"}\n"));
  std::vector<UniqueFd> waiting;
  for (int i = 0; i < 3; ++i) {
    waiting.push_back(connect_to(address));
    send_text(waiting.back(), std::string("GET /who HTTP/1.1\r\nHost: x\r\n") + kWrong + "\r\n");
  }
  wait_until([&] { return server->counts().open_connections == 3; });
  server.reset();
  SUCCEED() << "libmicrohttpd would have aborted";
}

TEST_F(WebServerTest, TakesNewUsersAndKeepsTheOldOnesWhenTheyAreBroken) {
  start(configured(""));
  EXPECT_EQ(status_of(ask(address, "GET /who")), 200);
  configure(user_alice());
  ASSERT_TRUE(server->reconfigure());
  EXPECT_EQ(status_of(ask(address, "GET /who")), 401);
  configure("basic_auth_users: {alice: oops}\n");
  const auto broken = server->reconfigure();
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().file, directory.file("web.yml"));
  EXPECT_EQ(status_of(ask(address, "GET /who")), 401);
  EXPECT_EQ(status_of(ask(address, "GET /who", kRight)), 200);
  configure("tls_server_config: {cert_file: web.yml, key_file: web.yml}\n");
  const auto no_certificate = server->reconfigure();
  ASSERT_FALSE(no_certificate);
  EXPECT_NE(no_certificate.error().message().find("TLS does not start"), std::string::npos);
  EXPECT_EQ(status_of(ask(address, "GET /who", kRight)), 200) << "still plain HTTP";
}

TEST_F(WebServerTest, SendsTheHeadersOfTheConfiguration) {
  start(configured("http_server_config: {headers: {X-Frame-Options: deny}}\n"));
  EXPECT_EQ(header_of(ask(address, "GET /who"), "X-Frame-Options"), "deny");
}

TEST_F(WebServerTest, HoldsAnAddressToItsConnections) {
  WebOptions options;
  options.limits.connections_per_address = 2;
  start(options);
  const UniqueFd first = connect_to(address);
  const UniqueFd second = connect_to(address);
  wait_until([&] { return server->counts().accepted == 2; });
  const UniqueFd third = connect_to(address);
  EXPECT_EQ(receive(third), "") << "closed without a word";
  EXPECT_EQ(server->counts().refused_address_limit, 1U);
  send_text(first, "GET /who HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(status_of(receive(first, "sums\n")), 200);
}

TEST_F(WebServerTest, RefusesBeyondItsTotal) {
  WebOptions options;
  options.limits.connections = 1;
  start(options);
  const UniqueFd first = connect_to(address);
  wait_until([&] { return server->counts().accepted == 1; });
  const UniqueFd second = connect_to(address);
  EXPECT_EQ(receive(second), "");
  EXPECT_EQ(server->counts().refused_total_limit, 1U);
  std::this_thread::sleep_for(milliseconds(1100));
  const UniqueFd third = connect_to(address);
  EXPECT_EQ(receive(first), "") << "it had idled for a second and made room";
  wait_until([&] { return server->counts().evicted == 1; });
}

TEST_F(WebServerTest, EndsConnectionsThatStall) {
  WebOptions options;
  options.limits.request = std::chrono::seconds(1);
  start(options);
  const UniqueFd stalled = connect_to(address);
  send_text(stalled, "GET /who HTTP/1.1\r\nHost:");
  EXPECT_EQ(receive(stalled), "");
  wait_until([&] { return server->counts().expired == 1; });
}

TEST_F(WebServerTest, KeepsAConnectionForTheNextRequest) {
  start();
  const UniqueFd connection = connect_to(address);
  for (int i = 0; i < 3; ++i) {
    send_text(connection, "GET /who HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(status_of(receive(connection, "sums\n")), 200);
  }
  EXPECT_EQ(server->counts().accepted, 1U);
}

TEST(WebServerStart, NamesTheAddressThatCannotBe) {
  const auto first = WebServer::start({.listen_addresses = {"127.0.0.1:0"}}, answer);
  ASSERT_TRUE(first);
  const std::string taken = (*first)->addresses().front();
  const auto second = WebServer::start({.listen_addresses = {"127.0.0.1:0", taken}}, answer);
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message().find(taken + ": cannot listen"), std::string::npos);
  EXPECT_FALSE(WebServer::start({.listen_addresses = {"nonsense"}}, answer));
  EXPECT_FALSE(WebServer::start({}, answer)) << "nothing to listen on";
  EXPECT_FALSE(WebServer::start(
      {.listen_addresses = {"127.0.0.1:0"}, .web_config_file = "/none.yml"}, answer));
}

}  // namespace
}  // namespace smaps_audit
