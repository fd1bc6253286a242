// SPDX-License-Identifier: Apache-2.0
#include "base/listen_address.h"

#include <gtest/gtest.h>

#include <string>

namespace smaps_audit {
namespace {

TEST(ListenAddress, ReadsEveryForm) {
  const auto plain = parse_listen_address("127.0.0.1:19755");
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->host, "127.0.0.1");
  EXPECT_EQ(plain->port, 19755);
  EXPECT_EQ(plain->kind, PeerKind::tcp);
  const auto six = parse_listen_address("[fe80::1%eth0]:0");
  ASSERT_TRUE(six);
  EXPECT_EQ(six->host, "fe80::1%eth0");
  EXPECT_EQ(six->port, 0);
  const auto all = parse_listen_address(":80");
  ASSERT_TRUE(all);
  EXPECT_EQ(all->host, "");
  const auto local = parse_listen_address("localhost:1");
  ASSERT_TRUE(local);
  EXPECT_EQ(local->host, "127.0.0.1");
  const auto path = parse_listen_address("unix:/run/a:b.sock");
  ASSERT_TRUE(path);
  EXPECT_EQ(path->kind, PeerKind::unix_socket);
  EXPECT_EQ(path->path, "/run/a:b.sock");
}

TEST(ListenAddress, RefusesWhatIsNone) {
  for (const char* const text :
       {"", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "::1:80",
        "[127.0.0.1]:80", "unix:run/x", "unix:", "127.0.0.1:http", "example.org:80", "256.0.0.1:80",
        "[::1%]:80", "[]:80", "[12345::]:80", "/run/x", "http://127.0.0.1:80", " :80", ":80 "}) {
    const auto address = parse_listen_address(text);
    ASSERT_FALSE(address) << text;
    EXPECT_EQ(address.error().code, ErrorCode::usage);
    EXPECT_EQ(address.error().file, text);
    EXPECT_NE(address.error().what.find("an address is"), std::string::npos) << text;
  }
}

TEST(ListenAddress, KeepsToWhatASocketsNameHolds) {
  EXPECT_TRUE(parse_listen_address("unix:/" + std::string(106, 'x')).ok());
  EXPECT_FALSE(parse_listen_address("unix:/" + std::string(107, 'x')).ok());
  EXPECT_FALSE(parse_listen_address(std::string_view{"unix:/a\0b", 9}).ok());
}

TEST(ListenAddress, IsTheSamePlaceHoweverItIsWritten) {
  const auto name = parse_listen_address("localhost:080");
  const auto number = parse_listen_address("127.0.0.1:80");
  const auto all = parse_listen_address(":80");
  ASSERT_TRUE(name && number && all);
  EXPECT_TRUE(name->is_same_as(*number));
  EXPECT_FALSE(name->is_same_as(*all));
}

}  // namespace
}  // namespace smaps_audit
