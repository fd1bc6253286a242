// SPDX-License-Identifier: Apache-2.0
#include "config/glob.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace smaps_audit {
namespace {

/// By definition, without a thought for speed.
bool fits(std::string_view glob, std::string_view text) {
  if (glob.empty()) return text.empty();
  const bool any = glob.starts_with("**");
  if (any || glob[0] == '*') {
    const std::string_view rest = glob.substr(any ? 2 : 1);
    for (std::size_t taken = 0; taken <= text.size(); ++taken) {
      if (fits(rest, text.substr(taken))) return true;
      if (taken < text.size() && text[taken] == '/' && !any) return false;
    }
    return false;
  }
  if (text.empty()) return false;
  if (glob[0] != text[0] && (glob[0] != '?' || text[0] == '/')) return false;
  return fits(glob.substr(1), text.substr(1));
}

std::vector<std::string> all_texts(std::string_view letters, std::size_t longest) {
  std::vector<std::string> texts{""};
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (texts[i].size() == longest) continue;
    for (const char letter : letters) texts.push_back(texts[i] + letter);
  }
  return texts;
}

TEST(Glob, DoesWhatItsDefinitionSays) {
  const std::vector<std::string> texts = all_texts("ab/", 5);
  for (const std::string& glob : all_texts("a/*?", 5)) {
    for (const std::string& text : texts) {
      ASSERT_EQ(glob_matches(glob, text), fits(glob, text)) << glob << " " << text;
    }
  }
}

TEST(Glob, FitsTheWholeText) {
  EXPECT_TRUE(glob_matches("nginx.service", "nginx.service"));
  EXPECT_FALSE(glob_matches("nginx.service", "nginxxservice"));
  EXPECT_FALSE(glob_matches("nginx", "nginx.service"));
  EXPECT_TRUE(glob_matches("postgresql@*.service", "postgresql@15-main.service"));
}

TEST(Glob, OneStarStopsAtASlash) {
  EXPECT_TRUE(glob_matches("/usr/bin/*", "/usr/bin/python3"));
  EXPECT_FALSE(glob_matches("/usr/*", "/usr/bin/python3"));
  EXPECT_TRUE(glob_matches("/usr/**", "/usr/bin/python3"));
  EXPECT_TRUE(glob_matches("**/python?", "/usr/bin/python3"));
  EXPECT_FALSE(glob_matches("/usr?bin/x", "/usr/bin/x"));
}

TEST(Glob, ABackslashAndABracketAreThemselves) {
  EXPECT_TRUE(glob_matches("machine-qemu\\x2d*.scope", "machine-qemu\\x2d1\\x2da.scope"));
  EXPECT_TRUE(glob_matches("[a]", "[a]"));
  EXPECT_FALSE(glob_matches("[a]", "a"));
}

TEST(Glob, ManyStarsEndSoon) {
  std::string glob;
  for (int i = 0; i < 50; ++i) glob += "a*";
  EXPECT_FALSE(glob_matches(glob + "b", std::string(4096, 'a')));
  std::string doubles;
  for (int i = 0; i < 50; ++i) doubles += "a**";
  EXPECT_FALSE(glob_matches(doubles + "b", std::string(4096, 'a')));
}

TEST(Glob, OfACgroupFitsWhatIsBelow) {
  EXPECT_TRUE(glob_matches_or_parent("/user.slice", "/user.slice/user-0.slice/session-1.scope"));
  EXPECT_TRUE(glob_matches_or_parent("/user.slice", "/user.slice"));
  EXPECT_FALSE(glob_matches_or_parent("/user.slice", "/user.slices/a"));
  EXPECT_FALSE(glob_matches_or_parent("/a/b", "/a"));
  EXPECT_TRUE(glob_matches_or_parent("/*.slice", "/b.slice/a"));
  EXPECT_TRUE(glob_matches_or_parent("/", "/a/b"));
  EXPECT_TRUE(glob_matches_or_parent("/", "/"));
  EXPECT_FALSE(glob_matches_or_parent("/", ""));
}

}  // namespace
}  // namespace smaps_audit
