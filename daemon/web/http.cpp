// SPDX-License-Identifier: Apache-2.0
#include "daemon/web/http.h"

#include <algorithm>

namespace smaps_audit {

std::optional<std::string_view> HttpRequest::argument(std::string_view name) const {
  const auto found = std::find_if(query.begin(), query.end(),
                                  [&](const auto& pair) { return pair.first == name; });
  if (found == query.end()) return std::nullopt;
  return found->second;
}

bool may_see_all(const HttpRequest& request) {
  return request.peer == PeerKind::unix_socket || (request.authenticated && request.encrypted);
}

HttpResponse http_response(unsigned status, std::string content_type, std::string body) {
  return {.status = status,
          .content_type = std::move(content_type),
          .body = std::make_shared<const std::string>(std::move(body))};
}

HttpResponse text_response(unsigned status, std::string_view sentence) {
  return http_response(status, "text/plain; charset=utf-8", std::string(sentence) + '\n');
}

PathClass path_class_of(std::string_view path) {
  if (path == "/metrics") return PathClass::metrics;
  if (path == "/" || path == "/page.css" || path == "/page.js") return PathClass::page;
  if (path.starts_with("/api/")) return PathClass::api;
  if (path.starts_with("/-/")) return PathClass::health;
  return PathClass::other;
}

std::string_view name_of(PathClass path_class) {
  switch (path_class) {
    case PathClass::page: return "page";
    case PathClass::metrics: return "metrics";
    case PathClass::api: return "api";
    case PathClass::health: return "health";
    case PathClass::other: return "other";
  }
  return "other";
}

}  // namespace smaps_audit
