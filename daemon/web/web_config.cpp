// SPDX-License-Identifier: Apache-2.0
#include "daemon/web/web_config.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "daemon/web/password.h"

namespace smaps_audit {
namespace {

using Words = std::vector<std::string_view>;

/// Thrown and caught in this file only: yaml-cpp throws as well.
struct ConfigError {
  Error error;
};

class Reader {
 public:
  explicit Reader(std::string file) : file_(std::move(file)) {}

  WebConfig read(const YAML::Node& root) const {
    WebConfig config;
    if (root.IsNull()) return config;
    map_of(root, "", {"tls_server_config", "basic_auth_users", "http_server_config"},
           {{"rate_limit", "the server has limits of its own"}});
    if (const YAML::Node tls = root["tls_server_config"]; tls && !tls.IsNull()) {
      config.tls = read_tls(tls);
    }
    if (const YAML::Node users = root["basic_auth_users"]; users && !users.IsNull()) {
      read_users(users, config);
    }
    if (const YAML::Node http = root["http_server_config"]; http && !http.IsNull()) {
      read_http(http, config);
    }
    return config;
  }

 private:
  [[noreturn]] void fail(const YAML::Node& node, const std::string& what) const {
    throw ConfigError{{.code = ErrorCode::usage,
                       .what = what,
                       .file = file_,
                       .line = node.Mark().is_null()
                                   ? std::nullopt
                                   : std::optional<std::uint64_t>(
                                         static_cast<std::uint64_t>(node.Mark().line) + 1)}};
  }

  static std::string below(const std::string& path, const std::string& key) {
    std::string full = path;
    if (!full.empty()) full += '.';
    full += key;
    return full;
  }

  static std::string joined(const Words& words) {
    std::string text;
    for (const std::string_view word : words)
      text += (text.empty() ? "" : ", ") + std::string(word);
    return text;
  }

  /// Only these keys, each once. `refused`: those that the exporter-toolkit knows, and why we
  /// don't.
  void map_of(const YAML::Node& node, const std::string& path, const Words& known,
              const std::vector<std::pair<std::string_view, std::string_view>>& refused) const {
    if (!node.IsMap()) {
      fail(node, (path.empty() ? "the file" : path) + " must be a map of keys to values");
    }
    std::set<std::string> seen;
    for (const auto& entry : node) {
      if (!entry.first.IsScalar()) fail(entry.first, "a key must be a word");
      const std::string key = entry.first.Scalar();
      const std::string full = below(path, key);
      if (!seen.insert(key).second) fail(entry.first, full + " stands twice");
      for (const auto& [name, why] : refused) {
        if (key == name) fail(entry.first, full + " is not supported: " + std::string(why));
      }
      if (std::find(known.begin(), known.end(), key) == known.end()) {
        fail(entry.first, "unknown key " + full + "; known are " + joined(known));
      }
    }
  }

  std::string text_at(const YAML::Node& map, const std::string& path, const char* key) const {
    const YAML::Node node = map[key];
    if (!node) return {};
    if (!node.IsScalar()) fail(node, path + "." + key + " must be a text");
    return node.Scalar();
  }

  std::string path_at(const YAML::Node& map, const std::string& path, const char* key) const {
    const std::string name = text_at(map, path, key);
    if (name.empty()) return {};
    return (std::filesystem::path(file_).parent_path() / name).string();
  }

  TlsVersion version_at(const YAML::Node& map, const char* key, TlsVersion fallback) const {
    const std::string text = text_at(map, "tls_server_config", key);
    if (text.empty()) return fallback;
    if (text == "TLS12") return TlsVersion::tls12;
    if (text == "TLS13") return TlsVersion::tls13;
    fail(map[key], std::string("tls_server_config.") + key + " is \"" + text +
                       "\"; supported are TLS12, TLS13");
  }

  TlsConfig read_tls(const YAML::Node& node) const {
    const std::string path = "tls_server_config";
    const std::string_view inline_pem = "put it into a file";
    const std::string_view defaults = "the defaults of GnuTLS hold";
    map_of(node, path,
           {"cert_file", "key_file", "min_version", "max_version", "client_auth_type",
            "client_ca_file"},
           {{"cert", inline_pem},
            {"key", inline_pem},
            {"client_ca", inline_pem},
            {"client_allowed_sans", "any certificate of client_ca_file is accepted"},
            {"cipher_suites", defaults},
            {"prefer_server_cipher_suites", defaults},
            {"curve_preferences", defaults}});
    TlsConfig tls;
    tls.cert_file = path_at(node, path, "cert_file");
    tls.key_file = path_at(node, path, "key_file");
    if (tls.cert_file.empty()) fail(node, path + ".cert_file is missing");
    if (tls.key_file.empty()) fail(node, path + ".key_file is missing");
    tls.min_version = version_at(node, "min_version", TlsVersion::tls12);
    tls.max_version = version_at(node, "max_version", TlsVersion::tls13);
    if (tls.min_version > tls.max_version) fail(node, path + ".min_version is above max_version");
    tls.client_ca_file = path_at(node, path, "client_ca_file");
    const std::string clients = text_at(node, path, "client_auth_type");
    if (clients == "RequireAndVerifyClientCert") {
      tls.clients = ClientCertificates::required;
      if (tls.client_ca_file.empty()) fail(node, path + ".client_ca_file is missing");
    } else if (!clients.empty() && clients != "NoClientCert") {
      fail(node["client_auth_type"], path + ".client_auth_type \"" + clients +
                                         "\" is not supported; NoClientCert and "
                                         "RequireAndVerifyClientCert are");
    } else if (!tls.client_ca_file.empty()) {
      fail(node["client_ca_file"],
           path + ".client_ca_file needs client_auth_type: RequireAndVerifyClientCert");
    }
    return tls;
  }

  void read_users(const YAML::Node& node, WebConfig& config) const {
    if (!node.IsMap()) fail(node, "basic_auth_users must be a map of names to bcrypt hashes");
    for (const auto& entry : node) {
      if (!entry.first.IsScalar()) fail(entry.first, "basic_auth_users: a name must be a text");
      const std::string name = entry.first.Scalar();
      const std::string path = "basic_auth_users." + name;
      if (name.empty() || name.find(':') != std::string::npos) {
        fail(entry.first, "basic_auth_users: a name is not empty and has no colon");
      }
      // Never the value itself: it may be a password that somebody forgot to hash.
      if (!entry.second.IsScalar()) fail(entry.second, path + " must be a bcrypt hash");
      if (const auto wrong = wrong_with_bcrypt(entry.second.Scalar()))
        fail(entry.second, path + " " + *wrong);
      if (!config.users.emplace(name, entry.second.Scalar()).second) {
        fail(entry.first, path + " stands twice");
      }
    }
  }

  void read_http(const YAML::Node& node, WebConfig& config) const {
    map_of(node, "http_server_config", {"http2", "headers"}, {});
    if (const std::string http2 = text_at(node, "http_server_config", "http2");
        !http2.empty() && http2 != "false") {
      fail(node["http2"],
           "http_server_config.http2 can only be false: HTTP/1.1 is what is spoken here");
    }
    const YAML::Node headers = node["headers"];
    if (!headers || headers.IsNull()) return;
    const std::string path = "http_server_config.headers";
    map_of(headers, path, {"Strict-Transport-Security", "X-Frame-Options", "X-XSS-Protection"},
           {{"X-Content-Type-Options", "it is always nosniff"},
            {"Content-Security-Policy", "the page's own is strict already"}});
    for (const auto& entry : headers) {
      const std::string name = entry.first.Scalar();
      const std::string value = text_at(headers, path, name.c_str());
      if (value.empty() || !std::all_of(value.begin(), value.end(),
                                        [](char byte) { return byte >= ' ' && byte <= '~'; })) {
        fail(entry.second, below(path, name) + " must be printable and not empty");
      }
      config.headers.emplace_back(name, value);
    }
  }

  std::string file_;
};

constexpr std::uintmax_t kLargestFileBytes = 1U << 20U;

Result<std::string> read_text(const std::string& path) {
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  if (error) return error_from_errno(error.value(), "cannot be read", path);
  if (size > kLargestFileBytes) {
    return Error{.code = ErrorCode::malformed, .what = "is larger than 1 MiB", .file = path};
  }
  errno = 0;
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream text;
  if (!stream || (size > 0 && !(text << stream.rdbuf()))) {
    return error_from_errno(errno != 0 ? errno : EIO, "cannot be read", path);
  }
  return std::move(text).str();
}

}  // namespace

Result<WebConfig> parse_web_config(std::string_view text, const std::string& file) {
  try {
    return Reader(file).read(YAML::Load(std::string(text)));
  } catch (const ConfigError& wrong) {
    return wrong.error;
  } catch (const YAML::Exception& wrong) {
    Error error{.code = ErrorCode::malformed, .what = "no YAML: " + wrong.msg, .file = file};
    if (!wrong.mark.is_null()) error.line = static_cast<std::uint64_t>(wrong.mark.line) + 1;
    return error;
  }
}

bool TlsIdentity::same_material(const TlsIdentity& other) const {
  return certificate == other.certificate && key == other.key && client_ca == other.client_ca &&
         config.min_version == other.config.min_version &&
         config.max_version == other.config.max_version && config.clients == other.config.clients;
}

Result<LoadedWebConfig> load_web_config(const std::string& path) {
  LoadedWebConfig loaded;
  if (path.empty()) return loaded;
  const auto text = read_text(path);
  if (!text) return text.error();
  auto config = parse_web_config(*text, path);
  if (!config) return config.error();
  loaded.config = *std::move(config);
  if (!loaded.config.tls) return loaded;
  TlsIdentity identity{.config = *loaded.config.tls, .certificate = {}, .key = {}, .client_ca = {}};
  for (const auto& [file, into] :
       {std::pair{&identity.config.cert_file, &identity.certificate},
        std::pair{&identity.config.key_file, &identity.key},
        std::pair{&identity.config.client_ca_file, &identity.client_ca}}) {
    if (file->empty()) continue;
    auto pem = read_text(*file);
    if (!pem) return pem.error();
    *into = *std::move(pem);
  }
  loaded.tls = std::move(identity);
  return loaded;
}

}  // namespace smaps_audit
