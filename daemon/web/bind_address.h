// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/socket.h>

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "daemon/web/http.h"

namespace smaps_audit {

/// Where to listen, as people write it.
struct BindAddress {
  std::string text;  ///< as given: what errors name
  PeerKind kind = PeerKind::tcp;
  std::string host;  ///< numeric; empty: all addresses of the machine
  std::uint16_t port = 0;
  std::string path;  ///< of a unix socket
};

/// "127.0.0.1:19755", "[::1]:19755", "[fe80::1%eth0]:19755", ":19755" (all addresses),
/// "localhost:19755" (127.0.0.1), "unix:/run/smaps-auditd/http.sock". Port 0 lets the kernel
/// choose. Host names are refused: what they stand for may change.
Result<BindAddress> parse_bind_address(std::string_view text);

/// A socket that listens. One made for a unix path removes its file at the end, if it is still its
/// own.
class ListenSocket {
 public:
  ListenSocket(UniqueFd fd, PeerKind kind, std::string text, std::string owned_path = {});
  ListenSocket(ListenSocket&& other) noexcept;
  ListenSocket& operator=(ListenSocket&&) = delete;
  ListenSocket(const ListenSocket&) = delete;
  ListenSocket& operator=(const ListenSocket&) = delete;
  ~ListenSocket();

  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] PeerKind kind() const { return kind_; }
  /// As in parse_bind_address, with the real port.
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  UniqueFd fd_;
  PeerKind kind_;
  std::string text_;
  std::string owned_path_;
  std::uint64_t device_ = 0;
  std::uint64_t inode_ = 0;
};

/// Binds and listens. A unix socket gets mode 0660 and, unless `unix_group` is empty, that group,
/// before anyone can connect; one left by a dead process is replaced, one that answers is not. The
/// error names the address and what can be done.
Result<ListenSocket> open_listen_socket(const BindAddress& address, const std::string& unix_group);

/// What systemd handed over (sd_listen_fds): stream sockets that listen, TCP or unix. An error if
/// there is none or one is of another kind.
Result<std::vector<ListenSocket>> sockets_from_systemd();

/// Who connects, for limits: an IPv4 address, or the first 64 bits of an IPv6 one, since a client
/// has all of the rest. Clients of unix sockets are all the same.
struct ClientAddress {
  std::array<std::uint8_t, 9> bytes{};  ///< the last: 4, 6, or 0 for a unix socket
  auto operator<=>(const ClientAddress&) const = default;
};
ClientAddress client_address(const sockaddr_storage& address);

}  // namespace smaps_audit
