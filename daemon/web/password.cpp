// SPDX-License-Identifier: Apache-2.0
#include "daemon/web/password.h"

#include <crypt.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <strings.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "base/parse_int.h"

namespace smaps_audit {
namespace {

constexpr std::size_t kHashLength = 60;
constexpr std::size_t kPrefixLength = 7;  // "$2y$10$"
constexpr unsigned kLeastCost = 4;
constexpr unsigned kMostCost = 14;

bool is_bcrypt_letter(char byte) {
  return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
         (byte >= 'A' && byte <= 'Z') || byte == '.' || byte == '/';
}

std::optional<unsigned> base64_value(char byte) {
  constexpr std::string_view kLetters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const std::size_t place = kLetters.find(byte);
  if (place == std::string_view::npos) return std::nullopt;
  return static_cast<unsigned>(place);
}

std::optional<std::string> decode_base64(std::string_view text) {
  while (text.ends_with('=')) text.remove_suffix(1);
  std::string bytes;
  unsigned held = 0;
  unsigned held_bits = 0;
  for (const char letter : text) {
    const auto value = base64_value(letter);
    if (!value) return std::nullopt;
    held = (held << 6U) | *value;
    held_bits += 6;
    if (held_bits < 8) continue;
    held_bits -= 8;
    bytes.push_back(static_cast<char>((held >> held_bits) & 0xFFU));
    held &= (1U << held_bits) - 1;
  }
  return bytes;
}

}  // namespace

std::optional<std::string> wrong_with_bcrypt(std::string_view hash) {
  const bool shaped =
      hash.size() == kHashLength &&
      (hash.starts_with("$2a$") || hash.starts_with("$2b$") || hash.starts_with("$2y$")) &&
      hash[kPrefixLength - 1] == '$' &&
      std::all_of(hash.begin() + kPrefixLength, hash.end(), is_bcrypt_letter);
  const auto cost = shaped ? parse_unsigned(hash.substr(4, 2)) : std::nullopt;
  if (!cost) return "is no bcrypt hash (htpasswd -nBC 10 NAME makes one)";
  if (*cost < kLeastCost || *cost > kMostCost) {
    return "has a bcrypt cost of " + std::to_string(*cost) + "; 4 to 14 are supported";
  }
  return std::nullopt;
}

unsigned bcrypt_cost(std::string_view hash) {
  return static_cast<unsigned>(parse_unsigned(hash.substr(4, 2)).value_or(kLeastCost));
}

std::string dummy_bcrypt(unsigned cost) {
  std::string digits = std::to_string(cost);
  if (digits.size() == 1) digits.insert(0, "0");
  // A valid salt; that the checksum fits a password is as likely as a collision.
  return "$2y$" + digits + "$" + "abcdefghijklmnopqrstuu" + std::string(31, '.');
}

bool bcrypt_matches(const std::string& password, const std::string& hash) {
  const auto workspace = std::make_unique<crypt_data>();
  const char* const made = ::crypt_r(password.c_str(), hash.c_str(), workspace.get());
  const bool same = made != nullptr && std::strlen(made) == hash.size() &&
                    ::gnutls_memcmp(made, hash.data(), hash.size()) == 0;
  ::explicit_bzero(workspace.get(), sizeof(crypt_data));
  return same;
}

Result<SecretDigest> SecretDigest::create() {
  Value key{};
  if (::gnutls_rnd(GNUTLS_RND_KEY, key.data(), key.size()) != 0) {
    return Error{.code = ErrorCode::io, .what = "no random numbers for the password cache"};
  }
  return SecretDigest(key);
}

SecretDigest::Value SecretDigest::of(std::string_view user, std::string_view hash,
                                     std::string_view password) const {
  std::string message;
  for (const std::string_view part : {user, hash, password}) {
    message += std::to_string(part.size());
    message += ':';
    message += part;
  }
  Value digest{};
  ::gnutls_hmac_fast(GNUTLS_MAC_SHA256, key_.data(), key_.size(), message.data(), message.size(),
                     digest.data());
  wipe(message);
  return digest;
}

std::optional<Credentials> parse_basic_authorization(std::string_view header) {
  constexpr std::string_view kScheme = "Basic ";
  if (header.size() < kScheme.size() ||
      ::strncasecmp(header.data(), kScheme.data(), kScheme.size()) != 0) {
    return std::nullopt;
  }
  header.remove_prefix(kScheme.size());
  while (header.starts_with(' ')) header.remove_prefix(1);
  while (header.ends_with(' ')) header.remove_suffix(1);
  auto decoded = decode_base64(header);
  if (!decoded) return std::nullopt;
  const std::size_t colon = decoded->find(':');
  std::optional<Credentials> credentials;
  // crypt(3) ends at a NUL: a password with one would be taken for a shorter one.
  if (colon != std::string::npos && decoded->find('\0') == std::string::npos) {
    credentials = Credentials{decoded->substr(0, colon), decoded->substr(colon + 1)};
  }
  wipe(*decoded);
  return credentials;
}

void wipe(std::string& secret) {
  ::explicit_bzero(secret.data(), secret.size());
  secret.clear();
}

}  // namespace smaps_audit
