// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace smaps_audit {

enum class TlsVersion : std::uint8_t { tls12, tls13 };
enum class ClientCertificates : std::uint8_t { none, required };

struct TlsConfig {
  std::string cert_file;  ///< absolute, or relative to the working directory: see load_web_config
  std::string key_file;
  TlsVersion min_version = TlsVersion::tls12;
  TlsVersion max_version = TlsVersion::tls13;
  ClientCertificates clients = ClientCertificates::none;
  std::string client_ca_file;
};

/// The web configuration of Prometheus' exporter-toolkit (its docs/web-configuration.md), as far as
/// it is supported here:
///
///   tls_server_config:        TCP speaks TLS; unix sockets never do
///     cert_file: server.crt     relative to the configuration's own directory
///     key_file: server.key
///     min_version: TLS12        TLS12, TLS13
///     max_version: TLS13
///     client_auth_type: NoClientCert | RequireAndVerifyClientCert
///     client_ca_file: ca.crt
///   basic_auth_users:         asked for on TCP, on every path
///     prometheus: $2y$10$…      bcrypt, cost 4 to 14
///   http_server_config:
///     http2: false
///     headers:                  Strict-Transport-Security, X-Frame-Options, X-XSS-Protection
///
/// Everything else is an error that names the key, also what the toolkit knows and we don't: a
/// setting that protects elsewhere must not be dropped in silence here.
struct WebConfig {
  std::optional<TlsConfig> tls;
  std::map<std::string, std::string, std::less<>> users;  ///< name → bcrypt hash
  std::vector<std::pair<std::string, std::string>> headers;
};

/// `file` is named by errors; paths in it are taken relative to its directory.
Result<WebConfig> parse_web_config(std::string_view text, const std::string& file);

/// What TLS needs, read from the files: PEM texts.
struct TlsIdentity {
  TlsConfig config;
  std::string certificate;
  std::string key;
  std::string client_ca;  ///< empty: clients show none

  bool same_material(const TlsIdentity& other) const;
};

struct LoadedWebConfig {
  WebConfig config;
  std::optional<TlsIdentity> tls;
};

/// Reads the configuration and the files it names. An empty path is an empty configuration.
Result<LoadedWebConfig> load_web_config(const std::string& path);

}  // namespace smaps_audit
