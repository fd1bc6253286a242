// SPDX-License-Identifier: Apache-2.0
// A server with the service's web library and made-up contents, for web_test.py and page_test.py.
//
//   web-server [--listen ADDRESS]… [--systemd] [--web-config FILE] [--unix-group NAME] [--status
//   FILE]
//              [--metrics-bytes N] [--connections N] [--per-address N] [--request-seconds N]
//
// Prints {"addresses":[…]}, then "reloaded" or "kept: REASON" for each SIGHUP; ends at SIGTERM.
#include "daemon/web/web_server.h"

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "base/parse_int.h"
#include "daemon/web/status_page.h"

namespace smaps_audit {
namespace {

struct Settings {
  WebOptions web;
  std::string status_file;
  std::size_t metrics_bytes = 100'000;
};

nlohmann::json json_of(const WebCounts& counts) {
  nlohmann::json requests = nlohmann::json::object();
  for (const RequestCount& row : counts.requests) {
    requests[std::string(name_of(row.path_class)) + " " + std::to_string(row.status)] = row.count;
  }
  return {{"requests", requests},
          {"open_connections", counts.open_connections},
          {"accepted", counts.accepted},
          {"refused_total_limit", counts.refused_total_limit},
          {"refused_address_limit", counts.refused_address_limit},
          {"evicted", counts.evicted},
          {"expired", counts.expired},
          {"incomplete", counts.incomplete},
          {"tls_failures", counts.tls_failures},
          {"auth_failures", counts.auth_failures},
          {"auth_refused", counts.auth_refused}};
}

Settings parse(const std::vector<std::string>& words) {
  Settings settings;
  for (std::size_t i = 1; i < words.size(); ++i) {
    if (words[i] == "--systemd") {
      settings.web.systemd_sockets = true;
      continue;
    }
    const std::string value = i + 1 < words.size() ? words[i + 1] : "";
    const std::size_t number = parse_unsigned(value).value_or(0);
    const std::map<std::string, std::function<void()>> known{
        {"--listen", [&] { settings.web.listen_addresses.push_back(value); }},
        {"--web-config", [&] { settings.web.web_config_file = value; }},
        {"--unix-group", [&] { settings.web.unix_group = value; }},
        {"--status", [&] { settings.status_file = value; }},
        {"--metrics-bytes", [&] { settings.metrics_bytes = number; }},
        {"--connections", [&] { settings.web.limits.connections = number; }},
        {"--per-address", [&] { settings.web.limits.connections_per_address = number; }},
        {"--request-seconds", [&] { settings.web.limits.request = std::chrono::seconds(number); }}};
    const auto found = known.find(words[i]);
    if (found == known.end()) {
      std::fprintf(stderr, "web-server: unknown word %s\n", words[i].c_str());
      std::exit(64);
    }
    found->second();
    ++i;
  }
  return settings;
}

class Contents {
 public:
  explicit Contents(const Settings& settings)
      : metrics_(std::make_shared<const std::string>(std::string(settings.metrics_bytes, '#'))),
        status_file_(settings.status_file) {}

  void observe(const WebServer* server) { server_.store(server); }

  HttpResponse operator()(const HttpRequest& request) const {
    if (request.path == "/metrics") {
      return {.content_type = "text/plain; version=0.0.4; charset=utf-8", .body = metrics_};
    }
    if (request.path == "/-/healthy") return text_response(200, "healthy");
    if (request.path == "/-/ready") return text_response(503, "not yet");
    if (request.path == "/who") return text_response(200, may_see_all(request) ? "all" : "sums");
    if (const WebServer* const server = server_.load();
        request.path == "/counts" && server != nullptr) {
      return http_response(200, "application/json", json_of(server->counts()).dump());
    }
    if (request.path == "/") return status_page(status());
    if (request.path == "/api/v1/status") return http_response(200, "application/json", status());
    if (auto file = status_page_file(request.path)) return *std::move(file);
    return text_response(404, "nothing here");
  }

 private:
  std::string status() const {
    const std::ifstream file(status_file_);
    std::ostringstream text;
    text << file.rdbuf();
    return std::move(text).str();
  }

  std::shared_ptr<const std::string> metrics_;
  std::string status_file_;
  std::atomic<const WebServer*> server_ = nullptr;
};

int serve(const Settings& settings) {
  sigset_t signals;
  ::sigemptyset(&signals);
  for (const int number : {SIGHUP, SIGTERM}) ::sigaddset(&signals, number);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  Contents contents(settings);
  const auto server = WebServer::start(settings.web, std::cref(contents));
  if (!server) {
    std::fprintf(stderr, "web-server: %s\n", server.error().message().c_str());
    return 78;
  }
  contents.observe(server->get());
  std::printf("%s\n", nlohmann::json({{"addresses", (*server)->addresses()}}).dump().c_str());
  std::fflush(stdout);
  int number = 0;
  while (::sigwait(&signals, &number) == 0 && number != SIGTERM) {
    const auto done = (*server)->reconfigure();
    std::printf("%s\n", done ? "reloaded" : ("kept: " + done.error().message()).c_str());
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace
}  // namespace smaps_audit

int main(int argc, char** argv) {
  return smaps_audit::serve(smaps_audit::parse(std::vector<std::string>(argv, argv + argc)));
}
