// SPDX-License-Identifier: Apache-2.0
#include "base/listen_address.h"

#include <arpa/inet.h>
#include <sys/un.h>

#include <array>
#include <limits>
#include <optional>

#include "base/parse_int.h"

namespace smaps_audit {
namespace {

constexpr std::string_view kUnix = "unix:";
constexpr std::size_t kLongestSocketPath = sizeof(sockaddr_un::sun_path) - 1;

Error wrong_address(std::string_view text, const std::string& why) {
  return {.code = ErrorCode::usage,
          .what = why + "; an address is 127.0.0.1:19755, [::1]:19755, :19755 or unix:/path",
          .file = std::string(text)};
}

bool is_numeric(int family, const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> address{};
  return ::inet_pton(family, host.c_str(), address.data()) == 1;
}

Result<ListenAddress> unix_address(std::string_view text) {
  const std::string_view path = text.substr(kUnix.size());
  if (!path.starts_with('/')) return wrong_address(text, "the path is not absolute");
  if (path.find('\0') != std::string_view::npos) return wrong_address(text, "a NUL in the path");
  if (path.size() > kLongestSocketPath) {
    return wrong_address(
        text, "a socket's path has at most " + std::to_string(kLongestSocketPath) + " bytes");
  }
  return ListenAddress{.text = std::string(text),
                       .kind = PeerKind::unix_socket,
                       .host = {},
                       .path = std::string(path)};
}

/// Why not; empty: it is one.
std::string objection_to_host(std::string_view host) {
  const bool brackets = host.starts_with('[') && host.ends_with(']');
  if (brackets) {
    const std::string_view inside = host.substr(1, host.size() - 2);
    const std::size_t scope = inside.find('%');
    const bool named_scope = scope == std::string_view::npos || scope + 1 < inside.size();
    const bool v6 = is_numeric(AF_INET6, std::string(inside.substr(0, scope)));
    return v6 && named_scope ? "" : "only an IPv6 address stands in brackets";
  }
  if (host.find("//") != std::string_view::npos) return "a URL is none";
  if (host.find(':') != std::string_view::npos) return "an IPv6 address stands in brackets";
  if (host.empty() || host == "localhost" || is_numeric(AF_INET, std::string(host))) return "";
  return "not a numeric address; write the address instead of a name";
}

}  // namespace

bool ListenAddress::is_same_as(const ListenAddress& other) const {
  return kind == other.kind && host == other.host && port == other.port && path == other.path;
}

Result<ListenAddress> parse_listen_address(std::string_view text) {
  if (text.starts_with(kUnix)) return unix_address(text);
  if (text.starts_with('/')) return wrong_address(text, "a socket is unix:/path");
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return wrong_address(text, "no port");
  std::string_view host = text.substr(0, colon);
  if (const std::string why = objection_to_host(host); !why.empty()) {
    return wrong_address(text, why);
  }
  const std::optional<std::uint64_t> port = parse_unsigned(text.substr(colon + 1));
  if (!port || *port > std::numeric_limits<std::uint16_t>::max()) {
    return wrong_address(text, "the port is not a number up to 65535");
  }
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  return ListenAddress{.text = std::string(text),
                       .host = host == "localhost" ? "127.0.0.1" : std::string(host),
                       .port = static_cast<std::uint16_t>(*port),
                       .path = {}};
}

}  // namespace smaps_audit
