// SPDX-License-Identifier: Apache-2.0
#include "audit/relation.h"

#include <gtest/gtest.h>

namespace smaps_audit {
namespace {

constexpr Claim kA{Interface::smaps, "A"};
constexpr Claim kB{Interface::smaps, "B"};
constexpr Claim kC{Interface::smaps_rollup, "A"};
constexpr Claim kD{Interface::status, "D"};

Term term(Claim claim, std::uint64_t value, std::int64_t factor = 1) {
  return {.claim = claim, .factor = factor, .said = {value, value}};
}

Relation equal(Term left, Term right, std::uint64_t slack = 0) {
  right.factor = -1;
  return {.check = "I0",
          .text = "left is right",
          .terms = {left, right},
          .low = -static_cast<std::int64_t>(slack),
          .high = static_cast<std::int64_t>(slack),
          .reads = 24};
}

Relation at_most(Term left, Term right) {
  Relation relation = equal(left, right);
  relation.low = kNoLowerBound;
  return relation;
}

TEST(Relation, HoldsUpToItsBoundsAndBreaksByWhatIsBeyond) {
  EXPECT_TRUE(equal(term(kA, 100), term(kB, 103), 3).holds());
  EXPECT_TRUE(equal(term(kA, 106), term(kB, 103), 3).holds());
  EXPECT_EQ(equal(term(kA, 99), term(kB, 103), 3).error(), 1u);
  EXPECT_EQ(equal(term(kA, 108), term(kB, 103), 3).error(), 2u);
  EXPECT_TRUE(at_most(term(kA, 5), term(kB, 100)).holds());
  EXPECT_EQ(at_most(term(kA, 101), term(kB, 100)).error(), 1u);
}

TEST(Relation, AClaimThatChangedBreaksLess) {
  Relation relation = equal({.claim = kA, .said = {90, 100}}, term(kB, 100));
  EXPECT_TRUE(relation.holds());
  EXPECT_EQ(relation.tolerance(), 10u);
  relation.terms[0].said = {90, 99};
  EXPECT_EQ(relation.error(), 1u);
}

TEST(Relation, ToleratesAnythingWhereItHasNoBound) {
  EXPECT_FALSE(at_most(term(kA, 5), term(kB, 100)).tolerance());
  EXPECT_EQ(equal(term(kA, 5), term(kB, 5), 3).tolerance(), 6u);
}

TEST(Relation, PutsAClaimBetweenWhatTheOthersSay) {
  const Relation relation = equal(term(kA, 100), {.claim = kB, .said = {90, 95}}, 3);
  EXPECT_EQ(relation.expected_of(relation.terms[0]), (Interval{87, 98}));
  EXPECT_EQ(relation.expected_of(relation.terms[1]), (Interval{97, 103}));
  const Relation bound = at_most(term(kA, 100), term(kB, 90));
  EXPECT_EQ(bound.expected_of(bound.terms[0]), (Interval{0, 90}));
  EXPECT_EQ(bound.expected_of(bound.terms[1]), (Interval{100, UINT64_MAX}));
}

TEST(Relation, NumbersOfAForgedCaptureDoNotOverflow) {
  const Relation relation = equal(term(kA, UINT64_MAX), term(kB, 0));
  EXPECT_FALSE(relation.holds());
  EXPECT_GT(relation.error(), 0u);
}

std::vector<Claim> only_claims(std::span<const Relation> relations) {
  const std::vector<Accusation> accusations = accuse(relations);
  EXPECT_EQ(accusations.size(), 1u);
  return accusations.empty() ? std::vector<Claim>{} : accusations.front().claims;
}

TEST(Accuse, NobodyWhereAllHolds) {
  const std::vector<Relation> relations{equal(term(kA, 5), term(kB, 5))};
  EXPECT_TRUE(accuse(relations).empty());
}

TEST(Accuse, WhoTakesPartInAllThatIsBroken) {
  const std::vector<Relation> relations{equal(term(kA, 5), term(kC, 6)),
                                        equal(term(kD, 5), term(kC, 6)),
                                        equal(term(kA, 5), term(kD, 5))};
  EXPECT_EQ(only_claims(relations), std::vector<Claim>{kC});
}

TEST(Accuse, APairWhereNothingDecides) {
  const std::vector<Relation> relations{equal(term(kA, 5), term(kC, 6))};
  EXPECT_EQ(only_claims(relations).size(), 2u);
  const Finding finding = finding_of(accuse(relations).front(), relations);
  EXPECT_EQ(finding.interface, Interface::smaps);
  EXPECT_EQ(finding.against, Interface::smaps_rollup);
  EXPECT_EQ(finding.field, "A");
  EXPECT_EQ(finding.error_bytes, 1u);
}

TEST(Accuse, WhomNobodyVouchesFor) {
  const std::vector<Relation> relations{equal(term(kA, 5), term(kC, 6)),
                                        equal(term(kA, 5), term(kD, 5))};
  EXPECT_EQ(only_claims(relations), std::vector<Claim>{kC});
}

TEST(Accuse, ARelationThatTheLieWouldNotBreakVouchesForNobody) {
  const std::vector<Relation> relations{equal(term(kA, 5), term(kC, 6)),
                                        equal(term(kA, 5), term(kD, 5), 10)};
  EXPECT_EQ(only_claims(relations).size(), 2u);
  const std::vector<Relation> one_sided{equal(term(kA, 5), term(kC, 6)),
                                        at_most(term(kA, 5), term(kD, 5))};
  EXPECT_EQ(only_claims(one_sided).size(), 2u);
}

TEST(Accuse, TwoLiarsOneAfterTheOther) {
  const std::vector<Relation> relations{equal(term(kA, 5), term(kB, 9)),
                                        equal(term(kC, 6), term(kD, 8))};
  EXPECT_EQ(accuse(relations).size(), 2u);
}

TEST(Accuse, ARecordThatContradictsItselfByItsRelation) {
  std::vector<Relation> relations{at_most(term(kA, 9), term(kB, 5))};
  relations[0].same_record = true;
  const Finding finding = finding_of(accuse(relations).front(), relations);
  EXPECT_EQ(finding.interface, Interface::smaps);
  EXPECT_EQ(finding.against, Interface::smaps);
  EXPECT_EQ(finding.field, "left is right");
  EXPECT_EQ(finding.basis, Basis::same_record);
}

TEST(Accuse, ALiarOfSeveralMappingsIsAddedUp) {
  const auto in_vma = [](std::uint64_t start, std::uint64_t says, std::uint64_t bound) {
    Relation relation = at_most(term(kA, says), term(kB, bound));
    relation.vma = FindingVma{start, start + 100, "", 0};
    return relation;
  };
  const std::vector<Relation> relations{in_vma(100, 9, 5), in_vma(300, 7, 6),
                                        equal(term(kA, 16), term(kC, 11))};
  const std::vector<Accusation> accusations = accuse(relations);
  ASSERT_EQ(accusations.size(), 1u);
  const Finding finding = finding_of(accusations.front(), relations);
  EXPECT_EQ(finding.field, "A");
  EXPECT_FALSE(finding.against);
  EXPECT_EQ(finding.vmas_total, 2u);
  EXPECT_EQ(finding.error_bytes, 5u);
  EXPECT_EQ(finding.vmas[0].error_bytes, 4u);
}

TEST(Accuse, AMappingVouchesOnlyForItself) {
  Relation broken = equal(term(kA, 9), term(kB, 5));
  broken.vma = FindingVma{100, 200, "", 0};
  Relation elsewhere = equal(term(kA, 5), term(kD, 5));
  elsewhere.vma = FindingVma{300, 400, "", 0};
  EXPECT_EQ(only_claims(std::vector<Relation>{broken, elsewhere}).size(), 2u);
  elsewhere.vma = broken.vma;
  EXPECT_EQ(only_claims(std::vector<Relation>{broken, elsewhere}), std::vector<Claim>{kB});
}

}  // namespace
}  // namespace smaps_audit
