// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>

#include "daemon/web/bind_address.h"

namespace smaps_audit {

struct WebLimits {
  std::size_t connections = 320;  ///< in all
  std::size_t connections_per_address =
      256;                           ///< an IPv4 address or an IPv6 /64; not for unix sockets
  std::chrono::seconds request{10};  ///< from connecting, or its first line, to a whole request
  /// Between two requests. Longer than the usual scrape intervals (15, 30, 60 s): else a connection
  /// is closed at the very moment that the next scrape is sent.
  std::chrono::seconds idle{75};
  std::chrono::seconds answer{60};    ///< until the client has read its answer
  std::size_t request_bytes = 16384;  ///< request line and headers
};

enum class Admission : std::uint8_t {
  admitted,
  admitted_after_eviction,
  total_limit,
  address_limit
};

/// Who is connected, and for how long they have been at what; enforces WebLimits. Thread-safe.
///
/// It shuts sockets down, which libmicrohttpd's thread then notices and closes; that is safe since
/// leave() comes before close().
class ConnectionTable {
 public:
  using Clock = std::chrono::steady_clock;

  /// What was seen of a connection until it ended.
  struct Seen {
    bool any_request_line = false;
    bool within_request = false;
  };

  explicit ConnectionTable(const WebLimits& limits) : limits_(limits) {}

  /// At the total limit the connection that has idled longest, but at least a second, makes room.
  Admission admit(int fd, PeerKind kind, const ClientAddress& from, std::uint64_t owner,
                  Clock::time_point now);
  /// The first line of a request came.
  void request_begun(int fd, Clock::time_point now);
  void request_whole(int fd, Clock::time_point now);
  void answered(int fd, Clock::time_point now);
  Seen leave(int fd);

  [[nodiscard]] ClientAddress address_of(int fd) const;
  /// Ends connections whose time is up; how many.
  std::size_t expire(Clock::time_point now);
  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] std::size_t size_of(std::uint64_t owner) const;

 private:
  enum class Phase : std::uint8_t { fresh, idle, request, answer };
  struct Entry {
    PeerKind kind = PeerKind::tcp;
    ClientAddress from;
    std::uint64_t owner = 0;
    Phase phase = Phase::fresh;
    Clock::time_point since;
    bool ended = false;
    bool any_request_line = false;
  };

  void enter(int fd, Phase phase, Clock::time_point now);
  [[nodiscard]] Clock::duration allowed(Phase phase) const;
  bool evict_one(Clock::time_point now);

  const WebLimits limits_;
  mutable std::mutex mutex_;
  std::map<int, Entry> entries_;
};

}  // namespace smaps_audit
