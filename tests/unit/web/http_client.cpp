// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/web/http_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/parse_int.h"
#include "daemon/web/bind_address.h"

namespace smaps_audit {
namespace {

[[noreturn]] void give_up(const char* what) {
  std::perror(what);
  std::abort();
}

UniqueFd connected(int family, const void* address, socklen_t size) {
  UniqueFd fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval patience{.tv_sec = 30, .tv_usec = 0};
  if (!fd || ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0 ||
      ::connect(fd.get(), static_cast<const sockaddr*>(address), size) != 0) {
    give_up("connect");
  }
  return fd;
}

}  // namespace

UniqueFd connect_to(const std::string& address) {
  const auto parsed = parse_listen_address(address);
  if (!parsed) give_up("parse_listen_address");
  if (parsed->kind == PeerKind::unix_socket) {
    sockaddr_un where{};
    where.sun_family = AF_UNIX;
    std::memcpy(where.sun_path, parsed->path.data(), parsed->path.size());
    return connected(AF_UNIX, &where, sizeof where);
  }
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_port = htons(parsed->port);
  if (::inet_pton(AF_INET, parsed->host.c_str(), &where.sin_addr) != 1) give_up("inet_pton");
  return connected(AF_INET, &where, sizeof where);
}

void send_text(const UniqueFd& connection, const std::string& text) {
  if (::send(connection.get(), text.data(), text.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(text.size())) {
    give_up("send");
  }
}

std::string receive(const UniqueFd& connection, const std::string& ending) {
  std::string all;
  std::array<char, 65536> piece{};
  while (ending.empty() || !all.ends_with(ending)) {
    const ssize_t size = ::recv(connection.get(), piece.data(), piece.size(), 0);
    if (size <= 0) break;
    all.append(piece.data(), static_cast<std::size_t>(size));
  }
  return all;
}

std::string ask(const std::string& address, const std::string& method_and_path,
                const std::string& headers) {
  const UniqueFd connection = connect_to(address);
  send_text(connection, method_and_path + " HTTP/1.1\r\nHost: test\r\nConnection: close\r\n" +
                            headers + "\r\n");
  return receive(connection);
}

int status_of(const std::string& response) {
  if (!response.starts_with("HTTP/1.1 ")) return 0;
  return static_cast<int>(parse_unsigned(std::string_view(response).substr(9, 3)).value_or(0));
}

std::string body_of(const std::string& response) {
  const std::size_t end = response.find("\r\n\r\n");
  return end == std::string::npos ? "" : response.substr(end + 4);
}

std::optional<std::string> header_of(const std::string& response, const std::string& name) {
  const std::size_t start = response.find("\r\n" + name + ": ");
  if (start == std::string::npos || start > response.find("\r\n\r\n")) return std::nullopt;
  const std::size_t value = start + name.size() + 4;
  return response.substr(value, response.find("\r\n", value) - value);
}

}  // namespace smaps_audit
