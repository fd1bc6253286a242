// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/listen_address.h"

namespace smaps_audit {

/// A GET or HEAD that passed the limits and, where the web configuration names users,
/// authentication.
struct HttpRequest {
  std::string path;                                        ///< decoded, without the query
  std::vector<std::pair<std::string, std::string>> query;  ///< decoded, in the order given
  PeerKind peer = PeerKind::tcp;
  bool authenticated = false;  ///< gave a user's right password
  bool encrypted = false;      ///< came through TLS
  bool head = false;           ///< the body is not sent, only its length

  /// The first value of that name.
  [[nodiscard]] std::optional<std::string_view> argument(std::string_view name) const;
};

/// The privacy rule of docs/design.md: pids, addresses, comms and file names are for those who came
/// over the unix socket, or through TLS with a password. Everyone else gets groups, checks, sums,
/// counts.
[[nodiscard]] bool may_see_all(const HttpRequest& request);

/// What is sent back. The server adds Content-Length, X-Content-Type-Options, Cache-Control, for
/// HTML a strict Content-Security-Policy, and the headers of the web configuration.
struct HttpResponse {
  unsigned status = 200;
  std::string content_type;
  std::shared_ptr<const std::string> body;  ///< shared, so that a snapshot is sent without a copy
  std::string cache_control = "no-store";
};

HttpResponse http_response(unsigned status, std::string content_type, std::string body);
/// One line of plain text.
HttpResponse text_response(unsigned status, std::string_view sentence);

/// Makes every response. Called from the threads of all listeners at once; must not block for long,
/// since one that does holds up the others of its listener. What it throws becomes a 500.
using HttpHandler = std::function<HttpResponse(const HttpRequest&)>;

/// What a request was for, coarse enough to count by.
enum class PathClass : std::uint8_t { page, metrics, api, health, other };
inline constexpr std::size_t kPathClasses = 5;

/// "/metrics" is metrics, "/api/…" api, "/-/…" health, "/" and the page's own files page.
PathClass path_class_of(std::string_view path);
std::string_view name_of(PathClass path_class);

}  // namespace smaps_audit
