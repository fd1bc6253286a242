// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/socket.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>

#include "base/result.h"
#include "base/unique_fd.h"
#include "daemon/web/connection_table.h"
#include "daemon/web/http.h"
#include "daemon/web/password_gate.h"
#include "daemon/web/web_config.h"
#include "daemon/web/web_counts.h"

struct MHD_Daemon;
struct MHD_Connection;

namespace smaps_audit {

/// What all daemons of a server share. Outlives them.
struct WebShared {
  WebShared(HttpHandler made_by, const WebLimits& web_limits)
      : handler(std::move(made_by)), limits(web_limits), table(web_limits) {}

  [[nodiscard]] std::shared_ptr<const WebConfig> config() const {
    const std::lock_guard lock(config_mutex);
    return current_config;
  }
  void set_config(WebConfig config) {
    auto fresh = std::make_shared<const WebConfig>(std::move(config));
    const std::lock_guard lock(config_mutex);
    current_config.swap(fresh);
  }

  const HttpHandler handler;
  const WebLimits limits;
  ConnectionTable table;
  WebCounters counters;
  std::unique_ptr<PasswordGate> gate;
  mutable std::mutex config_mutex;
  std::shared_ptr<const WebConfig> current_config = std::make_shared<const WebConfig>();
};

/// One libmicrohttpd daemon with its epoll thread: it is handed connections, it doesn't listen.
/// (Its own MHD_quiesce_daemon may abort the process when it meets its thread at the wrong moment,
/// and at its connection limit it stops accepting, so that whoever stalls keeps others out.)
class HttpDaemon {
 public:
  /// With an identity it speaks TLS. Fails where certificate and key are no pair.
  static Result<std::unique_ptr<HttpDaemon>> start(WebShared& shared, PeerKind peer,
                                                   const TlsIdentity* identity);
  HttpDaemon(const HttpDaemon&) = delete;
  HttpDaemon& operator=(const HttpDaemon&) = delete;
  /// Ends its connections. Those that wait for the gate must have been answered: may_stop().
  ~HttpDaemon();

  /// The connection is the daemon's from here on; it is admitted to the table under id().
  void add(UniqueFd connection, const sockaddr_storage& address, socklen_t address_size);

  /// From now on every answer ends its connection.
  void retire() { retired_ = true; }
  [[nodiscard]] bool may_stop() const { return suspended_ == 0; }
  [[nodiscard]] std::uint64_t id() const { return id_; }

 private:
  struct Exchange;
  struct Callbacks;

  HttpDaemon(WebShared& shared, PeerKind peer, bool encrypted, bool clients_show_certificates);

  int on_request(MHD_Connection* connection, const char* url, const char* method, bool has_body,
                 void** context);
  int authenticate(MHD_Connection* connection, Exchange& exchange);
  int ask_the_gate(MHD_Connection* connection, Exchange& exchange, const WebConfig& config);
  int answer(MHD_Connection* connection, Exchange& exchange);
  int send(MHD_Connection* connection, const Exchange& exchange, const HttpResponse& response,
           const char* extra_name = nullptr, const char* extra_value = nullptr);
  [[nodiscard]] bool client_certificate_is_good(MHD_Connection* connection) const;

  WebShared& shared_;
  const PeerKind peer_;
  const bool encrypted_;
  const bool clients_show_certificates_;
  const std::uint64_t id_;
  std::atomic<bool> retired_ = false;
  std::atomic<std::size_t> suspended_ = 0;
  std::mutex log_mutex_;
  std::string start_log_;
  MHD_Daemon* daemon_ = nullptr;
};

}  // namespace smaps_audit
