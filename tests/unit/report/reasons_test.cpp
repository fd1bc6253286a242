// SPDX-License-Identifier: Apache-2.0
#include "report/reasons.h"

#include <gtest/gtest.h>

#include <set>

namespace smaps_audit {
namespace {

TEST(Reasons, AreUniqueAndExplained) {
  std::set<std::string_view> words;
  for (const ReasonText& reason : reason_texts()) {
    EXPECT_TRUE(words.insert(reason.word).second) << reason.word;
    EXPECT_TRUE(reason.meaning.ends_with('.')) << reason.word;
  }
}

TEST(Reasons, CoverTheWordsOfTheMethod) {
  for (const char* word : {"coverage", "contended", "unstable", "address_space", "permission",
                           "hidepid", "self", "kernel_thread"}) {
    EXPECT_NE(find_reason(word), nullptr) << word;
  }
  EXPECT_EQ(find_reason("no such word"), nullptr);
}

}  // namespace
}  // namespace smaps_audit
