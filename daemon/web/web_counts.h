// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

#include "daemon/web/http.h"

namespace smaps_audit {

/// The status codes that the server and its handlers are known to send; any other counts as the
/// last, 0.
inline constexpr std::array<unsigned, 13> kCountedStatus{200, 204, 304, 400, 401, 403, 404,
                                                         405, 413, 429, 500, 503, 0};

struct RequestCount {
  PathClass path_class;
  unsigned status;
  std::uint64_t count;
};

/// What has happened since the start; never falls, not even at a reload.
struct WebCounts {
  std::vector<RequestCount> requests;  ///< those seen, and 200 of each class even at 0
  std::uint64_t open_connections = 0;  ///< at this moment
  std::uint64_t accepted = 0;
  std::uint64_t refused_total_limit = 0;    ///< more connections than allowed in all
  std::uint64_t refused_address_limit = 0;  ///< … than allowed from one address
  std::uint64_t evicted = 0;  ///< idle ones closed so that another could come at the limit
  std::uint64_t expired = 0;  ///< closed since a request or the reading of an answer took too long
  /// Closed by the client or MHD's own answer (400, 413, 414, 431) before a request was understood.
  std::uint64_t incomplete = 0;
  /// TLS connections that ended before a request came: failed handshakes, plain HTTP sent to a TLS
  /// port.
  std::uint64_t tls_failures = 0;
  std::uint64_t auth_failures = 0;  ///< answered 401 though credentials were given
  std::uint64_t auth_refused = 0;   ///< 429 or 503: not looked at, by rate or queue limits
};

/// The counters behind it; any thread.
class WebCounters {
 public:
  void count_request(PathClass path_class, unsigned status);
  void add_to(WebCounts& counts) const;

  std::atomic<std::uint64_t> accepted = 0;
  std::atomic<std::uint64_t> refused_total_limit = 0;
  std::atomic<std::uint64_t> refused_address_limit = 0;
  std::atomic<std::uint64_t> evicted = 0;
  std::atomic<std::uint64_t> expired = 0;
  std::atomic<std::uint64_t> incomplete = 0;
  std::atomic<std::uint64_t> tls_failures = 0;
  std::atomic<std::uint64_t> auth_failures = 0;
  std::atomic<std::uint64_t> auth_refused = 0;

 private:
  std::array<std::array<std::atomic<std::uint64_t>, kCountedStatus.size()>, kPathClasses>
      requests_{};
};

}  // namespace smaps_audit
