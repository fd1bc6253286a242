// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "audit/verdict.h"
#include "base/interval.h"

namespace smaps_audit {

/// One number that one witness tells: the "Pss" of smaps. `field` is as the interface spells it.
struct Claim {
  Interface interface = Interface::smaps;
  std::string_view field;
  friend auto operator<=>(const Claim&, const Claim&) = default;
};

struct Term {
  Claim claim;
  std::int64_t factor = 1;  ///< 0: the bounds depend on it, so a lie about it may break them
  Interval said;            ///< bytes: the smallest and the largest that it was ever told
};

/// Bytes as a term of a sum: a forged capture may say anything, and seven terms of this size fit
/// into 64 bits.
inline std::int64_t amount(std::uint64_t bytes) {
  return static_cast<std::int64_t>(std::min(bytes, std::uint64_t{1} << 58));
}

inline constexpr std::int64_t kNoLowerBound = INT64_MIN;
inline constexpr std::int64_t kNoUpperBound = INT64_MAX;

/// low ≤ Σ factor · claim ≤ high (bytes), which every correct kernel keeps. It is broken where no
/// combination of what was told fits, so a claim that changed between its reads breaks less.
struct Relation {
  std::string_view check;  ///< id: "I2.rss_parts"
  std::string_view text;   ///< for people: "Pss <= Rss"
  std::vector<Term> terms;
  std::int64_t low = 0;
  std::int64_t high = 0;
  bool same_record = false;            ///< all terms are of one record: no race explains it
  std::uint64_t reads = 0;             ///< that it was broken in
  std::optional<FindingVma> vma = {};  ///< of one mapping; its error is filled in later

  [[nodiscard]] bool holds() const { return error() == 0; }
  /// By how much the nearest combination misses.
  [[nodiscard]] std::uint64_t error() const;
  /// A lie of more than this breaks the relation; nullopt if one is possible in a direction that it
  /// has no bound in.
  [[nodiscard]] std::optional<std::uint64_t> tolerance() const;
  [[nodiscard]] const Term* term_of(const Claim& claim) const;
  [[nodiscard]] bool crosses_interfaces() const;
  [[nodiscard]] bool involves(Interface interface) const;
  /// Between what and what the others put this claim.
  [[nodiscard]] Interval expected_of(const Term& term) const;
};

/// Who explains a set of broken relations. One claim: it takes part in all of them, and no other
/// does that nothing else vouches for. Several: nothing decides between them.
struct Accusation {
  std::vector<Claim> claims;
  std::vector<const Relation*> broken;
};

/// The smallest set of liars, one after the other: each time the claim in most of the relations
/// that are broken. A claim that takes part in a relation that holds, and that its lie would break,
/// is vouched for.
std::vector<Accusation> accuse(std::span<const Relation> relations);

/// The accusation in words: one claim alone, two interfaces as a pair, or, where one record
/// contradicts itself and nothing decides, `against` = `interface` and the relation as the field.
Finding finding_of(const Accusation& accusation, std::span<const Relation> relations);

}  // namespace smaps_audit
