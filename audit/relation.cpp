// SPDX-License-Identifier: Apache-2.0
#include "audit/relation.h"

#include <algorithm>
#include <map>
#include <string>

namespace smaps_audit {
namespace {

struct SignedInterval {
  std::int64_t low = 0;
  std::int64_t high = 0;

  void add(const Term& term) {
    const std::int64_t least = term.factor * amount(term.said.low);
    const std::int64_t most = term.factor * amount(term.said.high);
    low += std::min(least, most);
    high += std::max(least, most);
  }
};

SignedInterval sum_of(const Relation& relation, const Term* without = nullptr) {
  SignedInterval sum;
  for (const Term& term : relation.terms) {
    if (&term != without) sum.add(term);
  }
  return sum;
}

std::uint64_t at_least_zero(std::int64_t value) {
  return value > 0 ? static_cast<std::uint64_t>(value) : 0;
}

bool same_vma(const Relation& a, const Relation& b) {
  return a.vma && b.vma && a.vma->start == b.vma->start;
}

/// Would a lie of `claim` that breaks `broken` have broken another relation, which holds?
bool vouched_for(const Claim& claim, std::span<const Relation> relations,
                 const std::vector<const Relation*>& broken) {
  std::uint64_t error = UINT64_MAX;
  for (const Relation* relation : broken) {
    if (relation->term_of(claim) != nullptr) error = std::min(error, relation->error());
  }
  return std::any_of(relations.begin(), relations.end(), [&](const Relation& relation) {
    const Term* const term = relation.term_of(claim);
    if (!relation.holds() || term == nullptr || term->factor == 0) return false;
    const auto tolerance = relation.tolerance();
    if (!tolerance || *tolerance >= error) return false;
    return !relation.vma || std::any_of(broken.begin(), broken.end(), [&](const Relation* other) {
      return same_vma(relation, *other);
    });
  });
}

/// The claims that take part in the most, and all in the same.
std::vector<Claim> most_involved(const std::vector<const Relation*>& broken) {
  std::map<Claim, std::vector<const Relation*>> involved;
  for (const Relation* relation : broken) {
    for (const Term& term : relation->terms) involved[term.claim].push_back(relation);
  }
  const auto most = std::max_element(
      involved.begin(), involved.end(),
      [](const auto& a, const auto& b) { return a.second.size() < b.second.size(); });
  std::vector<Claim> claims;
  for (const auto& [claim, relations] : involved) {
    if (relations == most->second) claims.push_back(claim);
  }
  return claims;
}

void narrow(Interval& interval, Interval other) {
  const Interval both{std::max(interval.low, other.low), std::min(interval.high, other.high)};
  if (both.low <= both.high) interval = both;
}

struct Measure {
  Interval said;
  Interval expected;
};

/// What the broken relations of one mapping, or of the whole process, leave of a claim; relations
/// that hold narrow it further.
Measure measure(const Claim& claim, const std::vector<const Relation*>& broken,
                std::span<const Relation> relations) {
  Measure result;
  bool first = true;
  for (const Relation* relation : broken) {
    const Term* const term = relation->term_of(claim);
    if (term == nullptr) continue;
    const Interval expected = relation->expected_of(*term);
    if (first) result = {.said = term->said, .expected = expected};
    if (!first) narrow(result.expected, expected);
    first = false;
  }
  const Relation& sample = *broken.front();
  for (const Relation& relation : relations) {
    const Term* const term = relation.term_of(claim);
    const bool of_the_same = sample.vma ? same_vma(relation, sample) : !relation.vma;
    if (term == nullptr || !of_the_same || !relation.holds()) continue;
    Interval narrower = result.expected;
    narrow(narrower, relation.expected_of(*term));
    // What the claim itself says must stay outside: it is the liar.
    if (narrower.high < result.said.low || narrower.low > result.said.high) {
      result.expected = narrower;
    }
  }
  return result;
}

void set_numbers(Finding& finding, const Measure& measure) {
  const bool deficit = measure.said.high < measure.expected.low;
  finding.direction = deficit ? Direction::deficit : Direction::excess;
  finding.reported_bytes = deficit ? measure.said.high : measure.said.low;
  finding.expected = measure.expected;
  finding.error_bytes =
      deficit ? measure.expected.low - measure.said.high
              : at_least_zero(amount(measure.said.low) - amount(measure.expected.high));
  finding.exact = measure.said.width() == 0 && measure.expected.width() == 0;
}

/// One claim alone: by mapping where the relations are of mappings, else as a total.
void set_alone(Finding& finding, const Accusation& accusation,
               std::span<const Relation> relations) {
  const Claim& claim = accusation.claims.front();
  std::map<std::uint64_t, std::vector<const Relation*>> by_vma;
  std::vector<const Relation*> totals;
  for (const Relation* relation : accusation.broken) {
    if (relation->vma) {
      by_vma[relation->vma->start].push_back(relation);
    } else {
      totals.push_back(relation);
    }
  }
  if (by_vma.empty()) {
    set_numbers(finding, measure(claim, totals, relations));
    return;
  }
  Finding sum;
  sum.exact = true;
  for (const auto& [start, broken] : by_vma) {
    set_numbers(finding, measure(claim, broken, relations));
    sum.reported_bytes += finding.reported_bytes;
    sum.expected += finding.expected;
    sum.error_bytes += finding.error_bytes;
    sum.exact = sum.exact && finding.exact;
    finding.vmas.push_back(*broken.front()->vma);
    finding.vmas.back().error_bytes = finding.error_bytes;
  }
  finding.vmas_total = finding.vmas.size();
  finding.reported_bytes = sum.reported_bytes;
  finding.expected = sum.expected;
  finding.error_bytes = sum.error_bytes;
  finding.exact = sum.exact;
}

const Relation& most_telling(const std::vector<const Relation*>& broken) {
  const auto told = std::find_if(broken.begin(), broken.end(),
                                 [](const Relation* relation) { return relation->same_record; });
  return told == broken.end() ? *broken.front() : **told;
}

}  // namespace

std::uint64_t Relation::error() const {
  const SignedInterval sum = sum_of(*this);
  if (low != kNoLowerBound && sum.high < low) return at_least_zero(low - sum.high);
  if (high != kNoUpperBound && sum.low > high) return at_least_zero(sum.low - high);
  return 0;
}

std::optional<std::uint64_t> Relation::tolerance() const {
  if (low == kNoLowerBound || high == kNoUpperBound) return std::nullopt;
  const SignedInterval sum = sum_of(*this);
  return at_least_zero(high - low) + at_least_zero(sum.high - sum.low);
}

const Term* Relation::term_of(const Claim& claim) const {
  const auto found = std::find_if(terms.begin(), terms.end(),
                                  [&](const Term& term) { return term.claim == claim; });
  return found == terms.end() ? nullptr : &*found;
}

bool Relation::crosses_interfaces() const {
  return std::any_of(terms.begin(), terms.end(), [this](const Term& term) {
    return term.claim.interface != terms.front().claim.interface;
  });
}

bool Relation::involves(Interface interface) const {
  return std::any_of(terms.begin(), terms.end(),
                     [=](const Term& term) { return term.claim.interface == interface; });
}

Interval Relation::expected_of(const Term& term) const {
  const SignedInterval others = sum_of(*this, &term);
  Interval expected{0, UINT64_MAX};
  if (term.factor == 0) return expected;
  // factor · claim ∈ [low − others.high, high − others.low]
  const auto bound = [&](std::int64_t value, bool from_below) {
    if (from_below == (term.factor > 0)) {
      expected.low = at_least_zero(value / term.factor);
    } else {
      expected.high = at_least_zero(value / term.factor);
    }
  };
  if (low != kNoLowerBound) bound(low - others.high, true);
  if (high != kNoUpperBound) bound(high - others.low, false);
  expected.high = std::max(expected.high, expected.low);
  return expected;
}

std::vector<Accusation> accuse(std::span<const Relation> relations) {
  std::vector<const Relation*> broken;
  for (const Relation& relation : relations) {
    if (!relation.holds()) broken.push_back(&relation);
  }
  std::vector<Accusation> accusations;
  while (!broken.empty()) {
    Accusation accusation{.claims = most_involved(broken), .broken = {}};
    std::vector<Claim> suspects = accusation.claims;
    std::erase_if(suspects,
                  [&](const Claim& claim) { return vouched_for(claim, relations, broken); });
    if (!suspects.empty()) accusation.claims = std::move(suspects);
    std::erase_if(broken, [&](const Relation* relation) {
      const bool explained =
          std::any_of(accusation.claims.begin(), accusation.claims.end(),
                      [&](const Claim& claim) { return relation->term_of(claim) != nullptr; });
      if (explained) accusation.broken.push_back(relation);
      return explained;
    });
    accusations.push_back(std::move(accusation));
  }
  return accusations;
}

Finding finding_of(const Accusation& accusation, std::span<const Relation> relations) {
  const Relation& telling = most_telling(accusation.broken);
  Finding finding;
  finding.check = telling.check;
  finding.brackets = telling.reads;
  if (telling.same_record) finding.basis = Basis::same_record;
  if (accusation.claims.size() == 1) {
    const Claim& claim = accusation.claims.front();
    finding.interface = claim.interface;
    finding.field = claim.field;
    set_alone(finding, accusation, relations);
    return finding;
  }
  const Term& first = telling.terms.front();
  finding.interface = first.claim.interface;
  finding.field = telling.same_record ? telling.text : first.claim.field;
  finding.against = finding.interface;
  for (const Term& term : telling.terms) {
    if (term.claim.interface != finding.interface) finding.against = term.claim.interface;
  }
  set_numbers(finding, {.said = first.said, .expected = telling.expected_of(first)});
  if (telling.vma) {
    finding.vmas_total = 1;
    finding.vmas = {*telling.vma};
    finding.vmas.front().error_bytes = finding.error_bytes;
  }
  return finding;
}

}  // namespace smaps_audit
