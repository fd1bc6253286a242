// SPDX-License-Identifier: Apache-2.0
#include "daemon/web/bind_address.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <cstring>

namespace smaps_audit {
namespace {

sockaddr_storage v4(const char* text) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  EXPECT_EQ(::inet_pton(AF_INET, text, &address.sin_addr), 1);
  sockaddr_storage storage{};
  std::memcpy(&storage, &address, sizeof address);
  return storage;
}

sockaddr_storage v6(const char* text) {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  EXPECT_EQ(::inet_pton(AF_INET6, text, &address.sin6_addr), 1);
  sockaddr_storage storage{};
  std::memcpy(&storage, &address, sizeof address);
  return storage;
}

TEST(ClientAddress, TakesAllOfIpv4AndThePrefixOfIpv6) {
  EXPECT_EQ(client_address(v4("10.0.0.1")), client_address(v4("10.0.0.1")));
  EXPECT_NE(client_address(v4("10.0.0.1")), client_address(v4("10.0.0.2")));
  EXPECT_EQ(client_address(v6("2001:db8::1")), client_address(v6("2001:db8::2")));
  EXPECT_NE(client_address(v6("2001:db8:0:1::1")), client_address(v6("2001:db8:0:2::1")));
  EXPECT_EQ(client_address(v6("::ffff:10.0.0.1")), client_address(v4("10.0.0.1")));
}

TEST(ClientAddress, KeepsFamiliesApart) {
  EXPECT_NE(client_address(v4("10.0.0.1")), client_address(v6("a00:1::1")));
  EXPECT_NE(client_address(v4("0.0.0.0")), ClientAddress{});
}

}  // namespace
}  // namespace smaps_audit
