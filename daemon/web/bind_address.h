// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/socket.h>

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/listen_address.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace smaps_audit {

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
  /// As in parse_listen_address, with the real port.
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
Result<ListenSocket> open_listen_socket(const ListenAddress& address,
                                        const std::string& unix_group);

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
