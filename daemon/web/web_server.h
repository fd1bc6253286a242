// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "daemon/web/connection_table.h"
#include "daemon/web/http.h"
#include "daemon/web/password_gate.h"
#include "daemon/web/web_counts.h"

namespace smaps_audit {

struct WebOptions {
  std::vector<std::string> listen_addresses = {};  ///< parse_listen_address
  bool systemd_sockets = false;                    ///< also what socket activation hands over
  std::string unix_group = {};                     ///< of unix sockets; empty: the process's own
  std::string web_config_file = {};  ///< load_web_config; empty: neither TLS nor passwords
  WebLimits limits = {};
  PasswordLimits passwords = {};
};

/// HTTP/1.1 with GET and HEAD for a few scrapers and people, by libmicrohttpd: one thread accepts
/// and holds everyone to the limits, one serves TCP and one the unix sockets, one checks passwords.
/// A client that stalls costs a table entry and nobody's time.
class WebServer {
 public:
  /// Listens on everything named, or on nothing: the error names the address and what can be done.
  /// The handler may be called before this returns, and until the destructor has: where it asks for
  /// counts(), the server reaches it through something atomic.
  static Result<std::unique_ptr<WebServer>> start(const WebOptions& options, HttpHandler handler);

  WebServer(const WebServer&) = delete;
  WebServer& operator=(const WebServer&) = delete;
  /// Stops accepting, ends all connections.
  ~WebServer();

  /// Reads the web configuration anew (for SIGHUP). Users and headers hold from the next request
  /// on. New TLS settings hold for new connections; those there are finish their request and are
  /// then closed. On an error everything stays as it was.
  Result<Ok> reconfigure();

  /// What is listened on, with the real ports, in the order of the options.
  [[nodiscard]] std::vector<std::string> addresses() const;
  [[nodiscard]] WebCounts counts() const;

 private:
  class Impl;
  explicit WebServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace smaps_audit
