// SPDX-License-Identifier: Apache-2.0
#include "daemon/web/bind_address.h"

#include <netinet/in.h>

#include <cstring>

namespace smaps_audit {
namespace {

constexpr std::uint8_t kIpv4 = 4;
constexpr std::uint8_t kIpv6 = 6;

}  // namespace

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
