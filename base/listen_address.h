// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace smaps_audit {

/// How a client reaches us. A unix socket's file rights say who may connect.
enum class PeerKind : std::uint8_t { tcp, unix_socket };

/// Where to listen, as people write it.
struct ListenAddress {
  std::string text;  ///< as given: what errors name
  PeerKind kind = PeerKind::tcp;
  std::string host;  ///< numeric; empty: all addresses of the machine
  std::uint16_t port = 0;
  std::string path;  ///< of a unix socket

  /// The same place, however it was written.
  [[nodiscard]] bool is_same_as(const ListenAddress& other) const;
};

/// "127.0.0.1:19755", "[::1]:19755", "[fe80::1%eth0]:19755", ":19755" (all addresses),
/// "localhost:19755" (127.0.0.1), "unix:/run/smaps-auditd/web.sock". Port 0 lets the kernel
/// choose. Host names are refused: what they stand for may change. The error has the text as its
/// file.
Result<ListenAddress> parse_listen_address(std::string_view text);

}  // namespace smaps_audit
