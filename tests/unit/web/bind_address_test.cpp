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

TEST(BindAddress, ReadsEveryForm) {
  const auto plain = parse_bind_address("127.0.0.1:19755");
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->host, "127.0.0.1");
  EXPECT_EQ(plain->port, 19755);
  EXPECT_EQ(plain->kind, PeerKind::tcp);
  const auto six = parse_bind_address("[fe80::1%eth0]:0");
  ASSERT_TRUE(six);
  EXPECT_EQ(six->host, "fe80::1%eth0");
  EXPECT_EQ(six->port, 0);
  const auto all = parse_bind_address(":80");
  ASSERT_TRUE(all);
  EXPECT_EQ(all->host, "");
  const auto local = parse_bind_address("localhost:1");
  ASSERT_TRUE(local);
  EXPECT_EQ(local->host, "127.0.0.1");
  const auto path = parse_bind_address("unix:/run/a:b.sock");
  ASSERT_TRUE(path);
  EXPECT_EQ(path->kind, PeerKind::unix_socket);
  EXPECT_EQ(path->path, "/run/a:b.sock");
}

TEST(BindAddress, RefusesWhatIsNone) {
  for (const char* const text :
       {"", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "::1:80",
        "[127.0.0.1]:80", "unix:run/x", "unix:", "127.0.0.1:http"}) {
    const auto address = parse_bind_address(text);
    ASSERT_FALSE(address) << text;
    EXPECT_EQ(address.error().code, ErrorCode::usage);
    EXPECT_EQ(address.error().file, text);
    EXPECT_NE(address.error().what.find("an address is"), std::string::npos) << text;
  }
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
