// SPDX-License-Identifier: Apache-2.0
#include "daemon/publisher.h"

#include "daemon/status_json.h"
#include "daemon/web/status_page.h"

namespace smaps_audit::service {
namespace {

/// The main loop publishes every 15 s at the latest, whatever workers do.
constexpr auto kStalled = std::chrono::minutes(1);

HttpResponse shared_response(std::string content_type, std::shared_ptr<const std::string> body) {
  HttpResponse response;
  response.content_type = std::move(content_type);
  response.body = std::move(body);
  return response;
}

}  // namespace

void Publisher::publish(std::shared_ptr<const Snapshot> snapshot, const WebTotals& web) {
  auto pages = std::make_shared<Pages>();
  pages->made = std::chrono::steady_clock::now();
  const ProcessCost cost = read_own_cost();
  const auto shared = [](std::string text) {
    return std::make_shared<const std::string>(std::move(text));
  };
  pages->metrics = shared(metrics_text(*snapshot, cost, web));
  pages->status = shared(status_json(*snapshot, cost, false));
  pages->status_all = shared(status_json(*snapshot, cost, true));
  pages->snapshot = std::move(snapshot);
  const std::lock_guard lock{mutex_};
  pages_ = std::move(pages);
}

std::shared_ptr<const Publisher::Pages> Publisher::pages() const {
  const std::lock_guard lock{mutex_};
  return pages_;
}

HttpResponse Publisher::handle(const HttpRequest& request) const {
  const auto pages = this->pages();
  if (request.path == "/-/healthy") {
    const bool stalled = !pages || std::chrono::steady_clock::now() - pages->made > kStalled;
    return stalled ? text_response(503, "the main loop has published nothing for a minute")
                   : text_response(200, "smaps-auditd is healthy.");
  }
  const bool ready = pages && pages->snapshot->schedule.last_sweep_end;
  if (request.path == "/-/ready") {
    return ready ? text_response(200, "smaps-auditd is ready.")
                 : text_response(503, "the first sweep has not ended yet");
  }
  if (!pages) return text_response(503, "nothing is known yet");
  if (request.path == "/metrics") return shared_response(kMetricsContentType, pages->metrics);
  const auto& status = may_see_all(request) ? pages->status_all : pages->status;
  if (request.path == "/api/v1/status") return shared_response("application/json", status);
  if (request.path == "/") return status_page(*status);
  if (auto file = status_page_file(request.path)) return *std::move(file);
  return text_response(404, "there is no such page");
}

}  // namespace smaps_audit::service
