// SPDX-License-Identifier: Apache-2.0
#include "daemon/web/bind_address.h"

#include <netinet/in.h>

#include <algorithm>
#include <cstring>

#include "base/parse_int.h"

namespace smaps_audit {
namespace {

constexpr std::uint64_t kLargestPort = 65535;
constexpr std::uint8_t kIpv4 = 4;
constexpr std::uint8_t kIpv6 = 6;

Error wrong_address(std::string_view text, const std::string& why) {
  return {.code = ErrorCode::usage,
          .what = why + "; an address is 127.0.0.1:19755, [::1]:19755, :19755 or unix:/path",
          .file = std::string(text)};
}

}  // namespace

Result<BindAddress> parse_bind_address(std::string_view text) {
  BindAddress address;
  address.text = std::string(text);
  if (text.starts_with("unix:")) {
    address.kind = PeerKind::unix_socket;
    address.path = std::string(text.substr(5));
    if (!address.path.starts_with('/')) return wrong_address(text, "the path is not absolute");
    return address;
  }
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return wrong_address(text, "no port");
  const auto port = parse_unsigned(text.substr(colon + 1));
  if (!port || *port > kLargestPort)
    return wrong_address(text, "the port is not a number up to 65535");
  address.port = static_cast<std::uint16_t>(*port);
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
    if (host.find(':') == std::string_view::npos) {
      return wrong_address(text, "only an IPv6 address stands in brackets");
    }
  } else if (host.find(':') != std::string_view::npos) {
    return wrong_address(text, "an IPv6 address stands in brackets");
  }
  address.host = host == "localhost" ? "127.0.0.1" : std::string(host);
  return address;
}

ClientAddress client_address(const sockaddr_storage& address) {
  ClientAddress key;
  if (address.ss_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &address, sizeof v4);
    std::memcpy(&key.bytes, &v4.sin_addr, sizeof v4.sin_addr);
    key.bytes.back() = kIpv4;
  } else if (address.ss_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &address, sizeof v6);
    if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
      std::memcpy(&key.bytes, &v6.sin6_addr.s6_addr[12], 4);
      key.bytes.back() = kIpv4;
    } else {
      std::memcpy(&key.bytes, &v6.sin6_addr, 8);
      key.bytes.back() = kIpv6;
    }
  }
  return key;
}

}  // namespace smaps_audit
