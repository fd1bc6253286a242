// SPDX-License-Identifier: Apache-2.0
#include "daemon/web/password.h"

#include <crypt.h>
#include <gtest/gtest.h>

namespace smaps_audit {
namespace {

constexpr const char* kSalt = "$2y$04$abcdefghijklmnopqrstuu";

std::string hash_of(const std::string& password) {
  crypt_data workspace{};
  return ::crypt_r(password.c_str(), kSalt, &workspace);
}

TEST(Password, FitsItsHashOnly) {
  const std::string hash = hash_of("hunter2");
  ASSERT_FALSE(wrong_with_bcrypt(hash)) << hash;
  EXPECT_TRUE(bcrypt_matches("hunter2", hash));
  EXPECT_FALSE(bcrypt_matches("hunter3", hash));
  EXPECT_FALSE(bcrypt_matches("", hash));
  EXPECT_FALSE(bcrypt_matches("hunter2", "not a hash"));
}

TEST(Password, SaysWhatIsWrongWithAHash) {
  for (const char* const hash :
       {"", "secret", "$2y$10$short", "$1$abcdefgh$abcdefghijklmnopqrstuv"}) {
    const auto wrong = wrong_with_bcrypt(hash);
    ASSERT_TRUE(wrong) << hash;
    EXPECT_NE(wrong->find("no bcrypt hash"), std::string::npos);
  }
  std::string costly = hash_of("x");
  costly.replace(4, 2, "15");
  ASSERT_TRUE(wrong_with_bcrypt(costly));
  EXPECT_NE(wrong_with_bcrypt(costly)->find("cost of 15"), std::string::npos);
  costly.replace(4, 2, "03");
  EXPECT_TRUE(wrong_with_bcrypt(costly));
  costly.replace(4, 2, "14");
  EXPECT_FALSE(wrong_with_bcrypt(costly));
  costly.back() = '!';
  EXPECT_TRUE(wrong_with_bcrypt(costly));
}

TEST(Password, DoesTheSameWorkForWhoIsNotThere) {
  const std::string dummy = dummy_bcrypt(4);
  EXPECT_FALSE(wrong_with_bcrypt(dummy)) << dummy;
  EXPECT_EQ(bcrypt_cost(dummy), 4U);
  EXPECT_EQ(bcrypt_cost(dummy_bcrypt(12)), 12U);
  crypt_data workspace{};
  const std::string made = ::crypt_r("anything", dummy.c_str(), &workspace);
  EXPECT_EQ(made.size(), dummy.size()) << "crypt must not refuse the salt at once: " << made;
  EXPECT_FALSE(bcrypt_matches("anything", dummy));
}

TEST(Password, DigestsDependOnEveryPartAndOnTheProcess) {
  const auto digest = SecretDigest::create();
  ASSERT_TRUE(digest);
  EXPECT_EQ(digest->of("a", "h", "p"), digest->of("a", "h", "p"));
  EXPECT_NE(digest->of("a", "h", "p"), digest->of("b", "h", "p"));
  EXPECT_NE(digest->of("a", "h", "p"), digest->of("a", "i", "p"));
  EXPECT_NE(digest->of("a", "h", "p"), digest->of("a", "h", "q"));
  EXPECT_NE(digest->of("ab", "", "c"), digest->of("a", "", "bc")) << "parts have lengths";
  const auto other = SecretDigest::create();
  ASSERT_TRUE(other);
  EXPECT_NE(digest->of("a", "h", "p"), other->of("a", "h", "p"));
}

TEST(BasicAuthorization, IsUserAndPassword) {
  const auto credentials = parse_basic_authorization("Basic YWxpY2U6czpjcmV0");
  ASSERT_TRUE(credentials);
  EXPECT_EQ(credentials->user, "alice");
  EXPECT_EQ(credentials->password, "s:cret") << "only the first colon separates";
  const auto padded = parse_basic_authorization("basic  YTo= ");
  ASSERT_TRUE(padded);
  EXPECT_EQ(padded->user, "a");
  EXPECT_EQ(padded->password, "");
}

TEST(BasicAuthorization, IsNothingElse) {
  for (const char* const header :
       {"", "Basic", "Bearer YWxpY2U6eA==", "Basic YWxpY2U=", "Basic !!!!", "Basic YTpiAGM="}) {
    EXPECT_FALSE(parse_basic_authorization(header)) << header;
  }
}

TEST(Password, IsWiped) {
  std::string secret = "hunter2";
  wipe(secret);
  EXPECT_TRUE(secret.empty());
}

}  // namespace
}  // namespace smaps_audit
