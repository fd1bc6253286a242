// SPDX-License-Identifier: Apache-2.0
#include "probes/catalogue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "config/known_defects.h"
#include "probes/card.h"

namespace smaps_audit::probes {
namespace {

bool holds(const std::vector<const Probe*>& chosen, std::string_view name) {
  return std::any_of(chosen.begin(), chosen.end(),
                     [name](const Probe* probe) { return probe->name == name; });
}

TEST(Catalogue, TellsOfEveryProbeWhatItAsksNeedsAndCosts) {
  std::set<std::string_view> names;
  for (const Probe* const probe : catalogue()) {
    EXPECT_TRUE(names.insert(probe->name).second) << probe->name;
    for (const std::string_view text : {probe->question, probe->needs, probe->cost}) {
      EXPECT_FALSE(text.empty()) << probe->name;
    }
    EXPECT_NE(probe->run, nullptr);
    EXPECT_NE(probe->judge, nullptr);
  }
}

TEST(Catalogue, RunsTheInstantProbesByDefault) {
  const auto chosen = choose({});
  ASSERT_TRUE(chosen.ok());
  EXPECT_TRUE(holds(*chosen, "control"));
  for (const Probe* const probe : *chosen) EXPECT_EQ(probe->tier, Tier::instant) << probe->name;
}

TEST(Catalogue, RunsWhatIsNamedOnceAndInItsOrder) {
  const auto chosen = choose({.names = {"thp-dirty", "control", "thp-dirty"}});
  ASSERT_TRUE(chosen.ok());
  ASSERT_EQ(chosen->size(), 2U);
  EXPECT_EQ(chosen->front()->name, "thp-dirty");
}

TEST(Catalogue, RefusesAnUnknownName) {
  const auto chosen = choose({.names = {"control", "nothing"}});
  ASSERT_FALSE(chosen.ok());
  EXPECT_EQ(chosen.error().code, ErrorCode::usage);
  EXPECT_NE(chosen.error().what.find("nothing"), std::string::npos);
}

TEST(Catalogue, HoldsEveryProbeThatTheCardNames) {
  for (const DefectRow& row : defect_rows()) {
    EXPECT_EQ(row.asked_by.empty(), !row.why_not.empty()) << row.id;
    std::string_view rest = row.asked_by;
    while (!rest.empty()) {
      const std::size_t comma = rest.find(',');
      EXPECT_NE(find_probe(rest.substr(0, comma)), nullptr) << row.id;
      rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
    }
  }
}

TEST(Catalogue, AgreesWithTheTableOfKnownDefects) {
  for (const KnownDefect& defect : known_defects()) {
    const DefectRow* const row = find_defect_row(defect.id);
    ASSERT_NE(row, nullptr) << defect.id;
    EXPECT_TRUE(row->title.empty()) << defect.id << " has its title in config/known-defects.json";
    EXPECT_EQ(class_of(defect.id), defect.defect_class) << defect.id;
    EXPECT_EQ(title_of(defect.id), defect.title);
  }
  for (const DefectRow& row : defect_rows()) EXPECT_FALSE(title_of(row.id).empty()) << row.id;
}

}  // namespace
}  // namespace smaps_audit::probes
