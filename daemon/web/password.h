// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace smaps_audit {

/// What a person has to know of a hash that is no use: nullopt for "$2a$", "$2b$" or "$2y$", a cost
/// of 4 to 14 and 53 characters. (A cost of 15 takes seconds for each check.)
std::optional<std::string> wrong_with_bcrypt(std::string_view hash);

/// The cost in a hash that is right.
unsigned bcrypt_cost(std::string_view hash);

/// A hash of that cost which no password fits, for users who are not there: their refusal takes as
/// long.
std::string dummy_bcrypt(unsigned cost);

/// crypt_r: 60–100 ms at cost 10, so never on a thread that serves. Compares in constant time.
bool bcrypt_matches(const std::string& password, const std::string& hash);

/// A keyed SHA-256 of the parts, each with its length: what a cache may keep of a password. The key
/// is random and lives in this process only.
class SecretDigest {
 public:
  using Value = std::array<std::uint8_t, 32>;

  static Result<SecretDigest> create();
  [[nodiscard]] Value of(std::string_view user, std::string_view hash,
                         std::string_view password) const;

 private:
  explicit SecretDigest(const Value& key) : key_(key) {}
  Value key_;
};

struct Credentials {
  std::string user;
  std::string password;
};

/// "Basic <base64 of user:password>"; nullopt for anything else.
std::optional<Credentials> parse_basic_authorization(std::string_view header);

/// Overwrites, so that it doesn't stay in freed memory.
void wipe(std::string& secret);

}  // namespace smaps_audit
