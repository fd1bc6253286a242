// SPDX-License-Identifier: Apache-2.0
#include "daemon/web/web_config.h"

#include <gtest/gtest.h>

#include <cctype>
#include <ostream>
#include <string_view>

#include "tests/support/temporary_directory.h"

namespace smaps_audit {
namespace {

const std::string kHash = "$2y$10$abcdefghijklmnopqrstuu" + std::string(31, '.');

TEST(WebConfig, ReadsEverything) {
  const auto config = parse_web_config(
      "tls_server_config:\n"
      "  cert_file: server.crt\n"
      "  key_file: /etc/keys/server.key\n"
      "  min_version: TLS13\n"
      "  client_auth_type: RequireAndVerifyClientCert\n"
      "  client_ca_file: ca.crt\n"
      "http_server_config:\n"
      "  http2: false\n"
      "  headers:\n"
      "    Strict-Transport-Security: max-age=31536000\n"
      "basic_auth_users:\n"
      "  alice: " +
          kHash + "\n",
      "/etc/smaps-auditd/web.yml");
  ASSERT_TRUE(config) << config.error().message();
  ASSERT_TRUE(config->tls);
  EXPECT_EQ(config->tls->cert_file, "/etc/smaps-auditd/server.crt");
  EXPECT_EQ(config->tls->key_file, "/etc/keys/server.key");
  EXPECT_EQ(config->tls->min_version, TlsVersion::tls13);
  EXPECT_EQ(config->tls->clients, ClientCertificates::required);
  EXPECT_EQ(config->tls->client_ca_file, "/etc/smaps-auditd/ca.crt");
  EXPECT_EQ(config->users.at("alice"), kHash);
  ASSERT_EQ(config->headers.size(), 1U);
  EXPECT_EQ(config->headers.front().first, "Strict-Transport-Security");
}

TEST(WebConfig, TakesNothingForNothing) {
  for (const char* const text :
       {"", "# only words\n", "tls_server_config:\nbasic_auth_users: {}\n"}) {
    const auto config = parse_web_config(text, "web.yml");
    ASSERT_TRUE(config) << config.error().message();
    EXPECT_FALSE(config->tls);
    EXPECT_TRUE(config->users.empty());
  }
}

struct Wrong {
  const char* text;
  const char* said;  ///< part of the message
};

/// ctest makes the test's name of it; the bytes of two pointers differ from run to run.
void PrintTo(const Wrong& wrong, std::ostream* out) {
  for (const char letter : std::string_view{wrong.said}) {
    *out << (std::isalnum(static_cast<unsigned char>(letter)) != 0 ? letter : '_');
  }
}

class WebConfigRefuses : public testing::TestWithParam<Wrong> {};

TEST_P(WebConfigRefuses, AndNamesTheKey) {
  const auto config = parse_web_config(GetParam().text, "web.yml");
  ASSERT_FALSE(config) << GetParam().text;
  EXPECT_NE(config.error().message().find(GetParam().said), std::string::npos)
      << config.error().message();
}

INSTANTIATE_TEST_SUITE_P(
    Each, WebConfigRefuses,
    testing::Values(
        Wrong{"tls_config: {}", "web.yml:1: unknown key tls_config; known are tls_server_config"},
        Wrong{"\nrate_limit: {}", "web.yml:2: rate_limit is not supported"},
        Wrong{"[1, 2]", "the file must be a map"}, Wrong{"a: [", "web.yml:1: no YAML"},
        Wrong{"? [a]\n: b", "a key must be a word"},
        Wrong{"basic_auth_users: {}\nbasic_auth_users: {}",
              "web.yml:2: basic_auth_users stands twice"},
        Wrong{"tls_server_config: yes", "tls_server_config must be a map"},
        Wrong{"tls_server_config: {cert_file: a, key_file: b, cert_fle: c}",
              "unknown key tls_server_config.cert_fle; known are cert_file"},
        Wrong{"tls_server_config: {key_file: b}", "tls_server_config.cert_file is missing"},
        Wrong{"tls_server_config: {cert_file: a}", "tls_server_config.key_file is missing"},
        Wrong{"tls_server_config: {cert_file: [a], key_file: b}",
              "tls_server_config.cert_file must be a text"},
        Wrong{"tls_server_config: {cert_file: a, key_file: b, min_version: TLS11}",
              "min_version is \"TLS11\"; supported are TLS12, TLS13"},
        Wrong{"tls_server_config: {cert_file: a, key_file: b, min_version: TLS13, max_version: "
              "TLS12}",
              "min_version is above max_version"},
        Wrong{"tls_server_config: {cert_file: a, key_file: b, cipher_suites: [x]}",
              "tls_server_config.cipher_suites is not supported"},
        Wrong{"tls_server_config: {cert_file: a, key_file: b, client_auth_type: RequestClientCert}",
              "client_auth_type \"RequestClientCert\" is not supported"},
        Wrong{"tls_server_config: {cert_file: a, key_file: b, client_auth_type: "
              "RequireAndVerifyClientCert}",
              "client_ca_file is missing"},
        Wrong{"tls_server_config: {cert_file: a, key_file: b, client_ca_file: c}",
              "client_ca_file needs client_auth_type"},
        Wrong{"basic_auth_users: [a]", "basic_auth_users must be a map"},
        Wrong{"basic_auth_users: {[a]: b}", "a name must be a text"},
        Wrong{"basic_auth_users: {\"a:b\": c}", "has no colon"},
        Wrong{"basic_auth_users: {alice: [x]}", "basic_auth_users.alice must be a bcrypt hash"},
        Wrong{"basic_auth_users: {alice: hunter2}", "basic_auth_users.alice is no bcrypt hash"},
        Wrong{"http_server_config: {http2: true}", "http2 can only be false"},
        Wrong{"http_server_config: {http3: true}", "unknown key http_server_config.http3"},
        Wrong{"http_server_config: {headers: {Set-Cookie: a}}",
              "unknown key http_server_config.headers.Set-Cookie"},
        Wrong{"http_server_config: {headers: {Content-Security-Policy: a}}",
              "headers.Content-Security-Policy is not supported"},
        Wrong{"http_server_config: {headers: {X-Frame-Options: \"a\\r\\nb: c\"}}",
              "must be printable"}));

TEST(WebConfig, RefusesAUserWhoStandsTwice) {
  const std::string line = "  a: " + kHash + "\n";
  const auto config = parse_web_config("basic_auth_users:\n" + line + line, "web.yml");
  ASSERT_FALSE(config);
  EXPECT_NE(config.error().what.find("basic_auth_users.a stands twice"), std::string::npos);
}

TEST(WebConfig, NeverRepeatsAPassword) {
  const auto config = parse_web_config("basic_auth_users: {alice: hunter2}", "web.yml");
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().message().find("hunter2"), std::string::npos);
}

TEST(LoadWebConfig, ReadsTheFilesItNames) {
  const TemporaryDirectory directory;
  write_whole_file(directory.file("web.yml"),
                   "tls_server_config: {cert_file: a.crt, key_file: a.key}\n");
  write_whole_file(directory.file("a.crt"), "certificate");
  const auto without_key = load_web_config(directory.file("web.yml"));
  ASSERT_FALSE(without_key);
  EXPECT_EQ(without_key.error().file, directory.file("a.key"));
  write_whole_file(directory.file("a.key"), "key");
  const auto loaded = load_web_config(directory.file("web.yml"));
  ASSERT_TRUE(loaded) << loaded.error().message();
  ASSERT_TRUE(loaded->tls);
  EXPECT_EQ(loaded->tls->certificate, "certificate");
  EXPECT_EQ(loaded->tls->key, "key");
  TlsIdentity other = *loaded->tls;
  EXPECT_TRUE(other.same_material(*loaded->tls));
  other.config.min_version = TlsVersion::tls13;
  EXPECT_FALSE(other.same_material(*loaded->tls));
}

TEST(LoadWebConfig, SaysWhatCannotBeRead) {
  const TemporaryDirectory directory;
  EXPECT_TRUE(load_web_config(""));
  const auto missing = load_web_config(directory.file("none.yml"));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::gone);
  EXPECT_FALSE(load_web_config(directory.path()));
  write_whole_file(directory.file("large.yml"), std::string((1U << 20U) + 1, '#'));
  const auto large = load_web_config(directory.file("large.yml"));
  ASSERT_FALSE(large);
  EXPECT_NE(large.error().what.find("larger than 1 MiB"), std::string::npos);
  write_whole_file(directory.file("bad.yml"), "nonsense: 1\n");
  EXPECT_FALSE(load_web_config(directory.file("bad.yml")));
}

}  // namespace
}  // namespace smaps_audit
