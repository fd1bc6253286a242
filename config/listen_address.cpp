// SPDX-License-Identifier: Apache-2.0
#include "config/listen_address.h"

#include <arpa/inet.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <limits>
#include <optional>

#include "base/parse_int.h"

namespace smaps_audit {
namespace {

constexpr std::string_view kUnix = "unix:";
constexpr std::size_t kLongestSocketPath = sizeof(sockaddr_un::sun_path) - 1;
constexpr std::size_t kLongestHost = 253;

Error wrong(std::string_view text, std::string_view what) {
  return Error{.code = ErrorCode::usage,
               .what = "\"" + std::string{text} + "\" " + std::string{what}};
}

bool is_ipv6(const std::string& text) {
  std::array<unsigned char, sizeof(in6_addr)> address{};
  return ::inet_pton(AF_INET6, text.c_str(), address.data()) == 1;
}

bool is_host(std::string_view text) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_';
  };
  return text.size() <= kLongestHost && std::all_of(text.begin(), text.end(), allowed);
}

Result<ListenAddress> unix_address(std::string_view text) {
  const std::string_view path = text.substr(kUnix.size());
  if (!path.starts_with('/') || path.find('\0') != std::string_view::npos) {
    return wrong(text, "names no socket: unix:/path, from the root on");
  }
  if (path.size() > kLongestSocketPath) {
    return wrong(text, "is too long for a socket: the path has at most " +
                           std::to_string(kLongestSocketPath) + " bytes");
  }
  return ListenAddress{.kind = ListenAddress::Kind::unix_socket, .path = std::string{path}};
}

}  // namespace

Result<ListenAddress> parse_listen_address(std::string_view text) {
  if (text.starts_with(kUnix)) return unix_address(text);
  if (text.starts_with('/')) return wrong(text, "is a path: a socket is unix:/path");
  if (text.find("//") != std::string_view::npos) {
    return wrong(text, "is a URL: only host:port is wanted");
  }
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    return wrong(text, "has no port: host:port, [v6]:port, :port or unix:/path");
  }
  std::string host{text.substr(0, colon)};
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
    if (!is_ipv6(host)) return wrong(text, "has no IPv6 address between its brackets");
  } else if (host.find(':') != std::string::npos) {
    return wrong(text, "is not clear: an IPv6 address stands in brackets, [::1]:19755");
  } else if (!is_host(host)) {
    return wrong(text, "has no host before its port");
  }
  const std::optional<std::uint64_t> port = parse_unsigned(text.substr(colon + 1));
  if (!port || *port > std::numeric_limits<std::uint16_t>::max()) {
    return wrong(text, "has no port from 0 to 65535 after its colon");
  }
  return ListenAddress{.host = std::move(host), .port = static_cast<std::uint16_t>(*port)};
}

std::string listen_address_text(const ListenAddress& address) {
  if (address.kind == ListenAddress::Kind::unix_socket) return std::string{kUnix} + address.path;
  const bool v6 = address.host.find(':') != std::string::npos;
  return (v6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

}  // namespace smaps_audit
