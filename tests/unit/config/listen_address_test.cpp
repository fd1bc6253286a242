// SPDX-License-Identifier: Apache-2.0
#include "config/listen_address.h"

#include <gtest/gtest.h>

namespace smaps_audit {
namespace {

TEST(ListenAddress, IsHostAndPort) {
  EXPECT_EQ(*parse_listen_address("127.0.0.1:19755"),
            (ListenAddress{.host = "127.0.0.1", .port = 19755}));
  EXPECT_EQ(*parse_listen_address("localhost:0"), (ListenAddress{.host = "localhost", .port = 0}));
  EXPECT_EQ(*parse_listen_address("[::1]:65535"), (ListenAddress{.host = "::1", .port = 65535}));
  EXPECT_EQ(*parse_listen_address(":80"), (ListenAddress{.host = "", .port = 80}));
}

TEST(ListenAddress, IsASocket) {
  EXPECT_EQ(*parse_listen_address("unix:/run/a.sock"),
            (ListenAddress{.kind = ListenAddress::Kind::unix_socket, .path = "/run/a.sock"}));
  EXPECT_TRUE(parse_listen_address("unix:/" + std::string(106, 'x')).ok());
  EXPECT_FALSE(parse_listen_address("unix:/" + std::string(107, 'x')).ok());
}

TEST(ListenAddress, IsNothingElse) {
  for (const std::string_view text :
       {"", "localhost", "80", "::1:80", "[::1]", "[::1]80", "[::1]:", "[]:80", "[g::]:80", "a:b",
        "a:65536", "a:-1", "a: 80", "a b:80", "http://a:80", "/run/a.sock", "unix:a.sock",
        "unix:", "unix:x/a"}) {
    EXPECT_FALSE(parse_listen_address(text).ok()) << text;
  }
  EXPECT_FALSE(parse_listen_address(std::string_view{"unix:/a\0b", 9}).ok());
}

TEST(ListenAddress, IsWrittenAsItIsRead) {
  for (const std::string_view text : {"127.0.0.1:19755", "[::1]:80", ":80", "unix:/run/a b.sock"}) {
    EXPECT_EQ(listen_address_text(*parse_listen_address(text)), text);
  }
}

}  // namespace
}  // namespace smaps_audit
