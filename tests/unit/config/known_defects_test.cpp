// SPDX-License-Identifier: Apache-2.0
#include "config/known_defects.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

namespace smaps_audit {
namespace {

std::string text_of(const std::string& path) {
  std::ifstream file{std::string{SMAPS_AUDIT_SOURCE_DIR} + "/" + path};
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

bool is_one_of(const std::string& word, const std::vector<std::string>& words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

TEST(KnownDefects, HoldK01WithItsSignature) {
  const KnownDefect* const defect = find_known_defect("K01");
  ASSERT_NE(defect, nullptr);
  EXPECT_EQ(defect->defect_class, DefectClass::finding);
  EXPECT_EQ(defect->signature.granule_bytes, 2097152U);
  EXPECT_EQ(defect->signature.direction, "deficit");
  EXPECT_EQ(defect->signature.interfaces, (std::vector<std::string>{"smaps", "smaps_rollup"}));
  EXPECT_FALSE(defect->signature.varies);
}

TEST(KnownDefects, HoldK03AsVaryingAndOfRollupOnly) {
  const KnownDefect* const defect = find_known_defect("K03");
  ASSERT_NE(defect, nullptr);
  EXPECT_EQ(defect->signature.interfaces, std::vector<std::string>{"smaps_rollup"});
  EXPECT_TRUE(defect->signature.varies);
  EXPECT_TRUE(defect->signature.needs_awake);
}

TEST(KnownDefects, GiveNothingForAnUnknownId) {
  EXPECT_EQ(find_known_defect("K99"), nullptr);
  EXPECT_EQ(find_known_defect(""), nullptr);
}

TEST(KnownDefects, HaveUniqueIdsTitlesAndAdvice) {
  std::set<std::string> ids;
  for (const KnownDefect& defect : known_defects()) {
    EXPECT_TRUE(ids.insert(defect.id).second) << defect.id;
    EXPECT_FALSE(defect.title.empty()) << defect.id;
    EXPECT_LE(defect.title.size(), 62U) << defect.id << ": one line of a report";
    EXPECT_FALSE(defect.what_to_do.empty()) << defect.id;
    EXPECT_FALSE(defect.background.empty()) << defect.id;
    EXPECT_FALSE(defect.versions.empty()) << defect.id;
    EXPECT_FALSE(defect.versions.ends_with('.')) << defect.id << ": explain adds it";
    for (const std::string& sentence : defect.what_to_do) {
      EXPECT_TRUE(sentence.ends_with('.')) << defect.id << ": " << sentence;
    }
  }
}

TEST(KnownDefects, HaveSignaturesOfKnownWords) {
  for (const KnownDefect& defect : known_defects()) {
    const DefectSignature& signature = defect.signature;
    EXPECT_FALSE(signature.interfaces.empty()) << defect.id;
    EXPECT_FALSE(signature.fields.empty()) << defect.id;
    EXPECT_TRUE(is_one_of(signature.direction, {"deficit", "excess", "either"})) << defect.id;
    EXPECT_TRUE(
        is_one_of(signature.bound, {"", "thread_cache", "percpu_batch", "hardware_corrupted"}))
        << defect.id << ": " << signature.bound;
    EXPECT_NE(signature.granule_bytes, 0U) << defect.id;
  }
}

// docs/design.md, "What comes of it is one of".
TEST(KnownDefects, AreFindingsOrNotesAsTheDesignSays) {
  const std::set<std::string> findings{"K01", "K03", "K07", "K08", "K15"};
  for (const KnownDefect& defect : known_defects()) {
    EXPECT_EQ(defect.defect_class == DefectClass::finding, findings.contains(defect.id))
        << defect.id;
  }
  for (const char* id : {"K01", "K02", "K03", "K05", "K06", "K07", "K08", "K09", "K10", "K11",
                         "K12", "K13", "K15", "K19"}) {
    EXPECT_NE(find_known_defect(id), nullptr) << id;
  }
}

// docs/kernel.md §4 in, docs/defects.md out: a row, or a reason why there is none.
TEST(KnownDefects, LeaveNoDefectOfTheCatalogueOut) {
  const std::string facts = text_of("docs/kernel.md");
  const std::string page = text_of("docs/defects.md");
  ASSERT_FALSE(page.empty());
  for (int number = 1; number <= 99; ++number) {
    const std::string id = (number < 10 ? "K0" : "K") + std::to_string(number);
    const bool listed = facts.find("**" + id + " ") != std::string::npos;
    EXPECT_TRUE(!listed || page.find(id) != std::string::npos) << id;
    if (find_known_defect(id) != nullptr) {
      EXPECT_NE(page.find("\n| " + id + " |"), std::string::npos) << id;
    }
  }
}

TEST(KnownDefects, LinkOnlyToCommitsThatTheDocumentationNames) {
  constexpr std::string_view kCommit = "https://git.kernel.org/linus/";
  const std::string facts = text_of("docs/kernel.md");
  ASSERT_FALSE(facts.empty());
  for (const KnownDefect& defect : known_defects()) {
    for (const std::string& link : defect.links) {
      ASSERT_TRUE(link.starts_with(kCommit)) << link;
      EXPECT_NE(facts.find(link.substr(kCommit.size())), std::string::npos) << link;
    }
  }
}

}  // namespace
}  // namespace smaps_audit
