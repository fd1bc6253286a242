// SPDX-License-Identifier: Apache-2.0
#include "audit/checks.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>
#include <string>

namespace smaps_audit {
namespace {

TEST(Checks, HaveUniqueIdsAndSayWhatTheyNeed) {
  std::set<std::string_view> ids;
  for (const CheckText& check : check_texts()) {
    EXPECT_TRUE(ids.insert(check.id).second) << check.id;
    for (const std::string_view text :
         {check.relation, check.witnesses, check.without, check.exceptions, check.confirmed}) {
      EXPECT_TRUE(text.ends_with('.')) << check.id << ": " << text;
    }
  }
}

TEST(Checks, StandInTheDocumentationWordForWord) {
  const std::ifstream file{SMAPS_AUDIT_SOURCE_DIR "/docs/checks.md"};
  std::stringstream page;
  page << file.rdbuf();
  const auto documented = [](std::string_view text) {
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const bool at_most = text.substr(i).starts_with("<=");
      result += at_most ? "≤" : std::string{text[i]};
      if (at_most) ++i;
    }
    return result;
  };
  for (const CheckText& check : check_texts()) {
    EXPECT_NE(page.str().find("\n## " + std::string{check.id} + "\n"), std::string::npos)
        << check.id;
    for (const std::string_view text :
         {check.relation, check.witnesses, check.without, check.exceptions, check.confirmed}) {
      EXPECT_NE(page.str().find(documented(text)), std::string::npos) << check.id << ": " << text;
    }
  }
}

TEST(Checks, GiveNothingForAnUnknownId) { EXPECT_EQ(find_check("I99"), nullptr); }

}  // namespace
}  // namespace smaps_audit
