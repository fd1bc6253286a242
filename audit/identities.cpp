// SPDX-License-Identifier: Apache-2.0
#include "audit/identities.h"

#include <algorithm>
#include <array>

#include "audit/page_class.h"

namespace smaps_audit {
namespace {

using F = SmapsField;

// Left sides positive, right sides negative: "a <= b" is a − b ≤ 0.
constexpr std::array kSize = {FieldTerm{F::size, 1}};
constexpr std::array kRss = {FieldTerm{F::rss, 1}};
constexpr std::array kRssParts = {FieldTerm{F::rss, 1}, FieldTerm{F::shared_clean, -1},
                                  FieldTerm{F::shared_dirty, -1}, FieldTerm{F::private_clean, -1},
                                  FieldTerm{F::private_dirty, -1}};
constexpr std::array kPss = {FieldTerm{F::pss, 1}, FieldTerm{F::rss, -1}};
constexpr std::array kPssPrivate = {FieldTerm{F::private_clean, 1}, FieldTerm{F::private_dirty, 1},
                                    FieldTerm{F::pss, -1}};
constexpr std::array kPssAnonymous = {FieldTerm{F::private_clean, 1},
                                      FieldTerm{F::private_dirty, 1}, FieldTerm{F::anonymous, 1},
                                      FieldTerm{F::rss, -1}, FieldTerm{F::pss, -1}};
constexpr std::array kPssDirty = {FieldTerm{F::pss_dirty, 1}, FieldTerm{F::pss, -1}};
constexpr std::array kDirtyParts = {FieldTerm{F::pss_dirty, 1}, FieldTerm{F::shared_dirty, -1},
                                    FieldTerm{F::private_dirty, -1}};
constexpr std::array kDirtyPrivate = {FieldTerm{F::private_dirty, 1}, FieldTerm{F::pss_dirty, -1}};
constexpr std::array kDirtyAnonymous = {FieldTerm{F::private_dirty, 1}, FieldTerm{F::anonymous, 1},
                                        FieldTerm{F::rss, -1}, FieldTerm{F::pss_dirty, -1}};
constexpr std::array kCleanParts = {FieldTerm{F::pss, 1}, FieldTerm{F::pss_dirty, -1},
                                    FieldTerm{F::shared_clean, -1},
                                    FieldTerm{F::private_clean, -1}};
constexpr std::array kPssClasses = {FieldTerm{F::pss, 1}, FieldTerm{F::pss_anon, -1},
                                    FieldTerm{F::pss_file, -1}, FieldTerm{F::pss_shmem, -1}};
constexpr std::array kPssAnon = {FieldTerm{F::pss_anon, 1}, FieldTerm{F::anonymous, -1}};
constexpr std::array kPssFile = {FieldTerm{F::pss_file, 1}, FieldTerm{F::pss_shmem, 1},
                                 FieldTerm{F::anonymous, 1}, FieldTerm{F::rss, -1}};
constexpr std::array kReferenced = {FieldTerm{F::referenced, 1}, FieldTerm{F::rss, -1}};
constexpr std::array kAnonymous = {FieldTerm{F::anonymous, 1}, FieldTerm{F::rss, -1}};
constexpr std::array kKsm = {FieldTerm{F::ksm, 1}, FieldTerm{F::anonymous, -1}};
constexpr std::array kLazyFree = {FieldTerm{F::lazy_free, 1}, FieldTerm{F::anonymous, -1}};
constexpr std::array kAnonHuge = {FieldTerm{F::anon_huge_pages, 1}, FieldTerm{F::anonymous, -1}};
constexpr std::array kFileHuge = {FieldTerm{F::shmem_pmd_mapped, 1},
                                  FieldTerm{F::file_pmd_mapped, 1}, FieldTerm{F::anonymous, 1},
                                  FieldTerm{F::rss, -1}};
constexpr std::array kAnonPmds = {FieldTerm{F::anon_huge_pages, 1}};
constexpr std::array kShmemPmds = {FieldTerm{F::shmem_pmd_mapped, 1}};
constexpr std::array kFilePmds = {FieldTerm{F::file_pmd_mapped, 1}};
constexpr std::array kSharedHugetlb = {FieldTerm{F::shared_hugetlb, 1}};
constexpr std::array kPrivateHugetlb = {FieldTerm{F::private_hugetlb, 1}};
constexpr std::array kSwap = {FieldTerm{F::rss, 1}, FieldTerm{F::swap, 1}};
constexpr std::array kSwapPss = {FieldTerm{F::swap_pss, 1}, FieldTerm{F::swap, -1}};
constexpr std::array kLocked = {FieldTerm{F::locked, 1}, FieldTerm{F::pss, -1}};
constexpr std::array kUnlocked = {FieldTerm{F::locked, 1}};

constexpr RecordIdentity at_most(std::string_view check, std::string_view relation,
                                 AskedOf asked_of, std::span<const FieldTerm> terms,
                                 std::int8_t length_factor = 0) {
  return {.check = check,
          .relation = relation,
          .asked_of = asked_of,
          .terms = terms,
          .length_factor = length_factor,
          .low = kNoLowerBound,
          .high = 0};
}

constexpr RecordIdentity exactly(std::string_view check, std::string_view relation,
                                 AskedOf asked_of, std::span<const FieldTerm> terms,
                                 std::int64_t rounding_bytes = 0, std::int8_t length_factor = 0) {
  return {.check = check,
          .relation = relation,
          .asked_of = asked_of,
          .terms = terms,
          .length_factor = length_factor,
          .low = 0,
          .high = rounding_bytes};
}

constexpr RecordIdentity whole_pmds(std::string_view relation, std::span<const FieldTerm> terms) {
  return {.check = "I2.pmd_multiple",
          .relation = relation,
          .asked_of = AskedOf::every_record,
          .terms = terms,
          .whole_pmds = true};
}

// Why a correct kernel keeps each: docs/checks.md.
constexpr std::array kIdentities = {
    exactly("I2.size", "Size = end - start", AskedOf::mapping, kSize, 0, -1),
    exactly("I2.rss_parts", "Rss = Shared_Clean + Shared_Dirty + Private_Clean + Private_Dirty",
            AskedOf::every_record, kRssParts),
    at_most("I2.rss", "Rss <= Size", AskedOf::mapping, kRss, -1),
    at_most("I2.pss", "Pss <= Rss", AskedOf::every_record, kPss),
    at_most("I2.pss_private", "Private_Clean + Private_Dirty <= Pss", AskedOf::anonymous_mapping,
            kPssPrivate),
    at_most("I2.pss_private", "Private_Clean + Private_Dirty - (Rss - Anonymous) <= Pss",
            AskedOf::other_record, kPssAnonymous),
    at_most("I2.pss_dirty", "Pss_Dirty <= Pss", AskedOf::every_record, kPssDirty),
    at_most("I2.pss_dirty_parts", "Pss_Dirty <= Shared_Dirty + Private_Dirty",
            AskedOf::every_record, kDirtyParts),
    at_most("I2.pss_dirty_private", "Private_Dirty <= Pss_Dirty", AskedOf::anonymous_mapping,
            kDirtyPrivate),
    at_most("I2.pss_dirty_private", "Private_Dirty - (Rss - Anonymous) <= Pss_Dirty",
            AskedOf::other_record, kDirtyAnonymous),
    at_most("I2.pss_clean_parts", "Pss - Pss_Dirty <= Shared_Clean + Private_Clean",
            AskedOf::every_record, kCleanParts),
    exactly("I2.pss_classes", "Pss = Pss_Anon + Pss_File + Pss_Shmem", AskedOf::rollup, kPssClasses,
            2048),
    at_most("I2.pss_anon", "Pss_Anon <= Anonymous", AskedOf::rollup, kPssAnon),
    at_most("I2.pss_file", "Pss_File + Pss_Shmem <= Rss - Anonymous", AskedOf::rollup, kPssFile),
    at_most("I2.referenced", "Referenced <= Rss", AskedOf::every_record, kReferenced),
    at_most("I2.anonymous", "Anonymous <= Rss", AskedOf::every_record, kAnonymous),
    at_most("I2.ksm", "KSM <= Anonymous", AskedOf::every_record, kKsm),
    at_most("I2.lazy_free", "LazyFree <= Anonymous", AskedOf::every_record, kLazyFree),
    at_most("I2.anon_huge", "AnonHugePages <= Anonymous", AskedOf::every_record, kAnonHuge),
    at_most("I2.file_huge", "ShmemPmdMapped + FilePmdMapped <= Rss - Anonymous",
            AskedOf::every_record, kFileHuge),
    whole_pmds("AnonHugePages is a multiple of the huge page", kAnonPmds),
    whole_pmds("ShmemPmdMapped is a multiple of the huge page", kShmemPmds),
    whole_pmds("FilePmdMapped is a multiple of the huge page", kFilePmds),
    exactly("I2.hugetlb", "Shared_Hugetlb is 0 without ht", AskedOf::mapping, kSharedHugetlb),
    exactly("I2.hugetlb", "Private_Hugetlb is 0 without ht", AskedOf::mapping, kPrivateHugetlb),
    at_most("I2.swap", "Rss + Swap <= Size", AskedOf::anonymous_mapping, kSwap, -1),
    at_most("I2.swap_pss", "SwapPss <= Swap", AskedOf::every_record, kSwapPss),
    at_most("I2.locked", "Locked <= Pss", AskedOf::rollup, kLocked),
    exactly("I2.locked", "Locked = Pss", AskedOf::locked_mapping, kLocked),
    exactly("I2.locked", "Locked is 0 without lo", AskedOf::unlocked_mapping, kUnlocked),
};
static_assert(kIdentities.size() <= 32);

bool is_rollup(const SmapsRecord& record) { return !record.values.has(SmapsField::size); }

constexpr std::uint32_t bit_of(AskedOf kind) { return 1u << static_cast<unsigned>(kind); }

/// What kinds of record this is, one bit each.
std::uint32_t kinds_of(const SmapsRecord& record) {
  std::uint32_t kinds = bit_of(AskedOf::every_record);
  if (is_rollup(record)) return kinds | bit_of(AskedOf::rollup) | bit_of(AskedOf::other_record);
  const bool anonymous = traits_of(record).anonymous_private;
  kinds |= bit_of(anonymous ? AskedOf::anonymous_mapping : AskedOf::other_record);
  if (!record.has_vm_flags) return kinds;
  const bool locked = record.flags.has(VmFlag::locked);
  return kinds | bit_of(AskedOf::mapping) |
         bit_of(locked ? AskedOf::locked_mapping : AskedOf::unlocked_mapping);
}

/// One bit of SmapsField each.
constexpr std::array kNeededFields = [] {
  std::array<std::uint32_t, kIdentities.size()> needed{};
  for (std::size_t i = 0; i < kIdentities.size(); ++i) {
    for (const FieldTerm& term : kIdentities[i].terms) {
      needed[i] |= 1u << static_cast<unsigned>(term.field);
    }
  }
  return needed;
}();

std::uint32_t asked_identities(const SmapsRecord& record) {
  // None of the numbers of a hugetlb mapping is resident memory.
  if (record.flags.has(VmFlag::hugetlb)) return 0;
  const std::uint32_t kinds = kinds_of(record);
  std::uint32_t asked = 0;
  for (std::size_t i = 0; i < kIdentities.size(); ++i) {
    const bool told = (record.values.present() & kNeededFields[i]) == kNeededFields[i];
    if (told && (kinds & bit_of(kIdentities[i].asked_of)) != 0) asked |= 1u << i;
  }
  return asked;
}

std::uint64_t nearest_multiple(std::uint64_t value, std::uint64_t of) {
  const std::uint64_t below = value / of * of;
  return value - below <= of / 2 ? below : below + of;
}

bool is_broken(const RecordIdentity& identity, const SmapsValues& values, std::uint64_t length,
               const PageGeometry& pages) {
  if (identity.whole_pmds) {
    return values.bytes(identity.terms.front().field).value_or(0) % pages.pmd_bytes != 0;
  }
  std::int64_t sum = identity.length_factor * amount(length);
  for (const FieldTerm& term : identity.terms) {
    sum += term.factor * amount(values.bytes(term.field).value_or(0));
  }
  return sum < identity.low || sum > identity.high;
}

Relation relation_of(const RecordIdentity& identity, const KeptRecord& record, std::uint64_t reads,
                     const PageGeometry& pages) {
  Relation relation{.check = identity.check,
                    .text = identity.relation,
                    .terms = {},
                    .low = identity.low,
                    .high = identity.high,
                    .same_record = true,
                    .reads = reads};
  for (const FieldTerm& term : identity.terms) {
    const std::uint64_t bytes = record.values.bytes(term.field).value_or(0);
    relation.terms.push_back({.claim = {record.interface, smaps_field_name(term.field)},
                              .factor = term.factor,
                              .said = {bytes, bytes}});
  }
  // The header is believed: what it says is a number, not a claim.
  const std::int64_t length = identity.length_factor * amount(record.length);
  if (relation.low != kNoLowerBound) relation.low -= length;
  if (relation.high != kNoUpperBound) relation.high -= length;
  if (identity.whole_pmds) {
    const std::uint64_t nearest =
        nearest_multiple(relation.terms.front().said.low, pages.pmd_bytes);
    relation.low = relation.high = static_cast<std::int64_t>(nearest);
  }
  return relation;
}

Term term_of(Interface interface, std::string_view field, std::int64_t factor,
             std::uint64_t bytes) {
  return {.claim = {interface, field}, .factor = factor, .said = {bytes, bytes}};
}

}  // namespace

std::span<const RecordIdentity> record_identities() { return kIdentities; }

std::uint32_t broken_identities(const SmapsRecord& record, const PageGeometry& pages) {
  const std::uint32_t asked = asked_identities(record);
  std::uint32_t broken = 0;
  for (std::size_t i = 0; i < kIdentities.size(); ++i) {
    const bool ask = (asked >> i & 1u) != 0;
    if (ask && is_broken(kIdentities[i], record.values, record.header.size_bytes(), pages)) {
      broken |= 1u << i;
    }
  }
  return broken;
}

KeptRecord keep(const SmapsRecord& record, Interface interface) {
  return {.interface = interface,
          .values = record.values,
          .length = record.header.size_bytes(),
          .asked = asked_identities(record)};
}

std::vector<Relation> relations_of(const KeptRecord& record, std::uint32_t broken,
                                   std::uint32_t ever_broken, std::uint64_t reads,
                                   const PageGeometry& pages) {
  std::vector<Relation> relations;
  for (std::size_t i = 0; i < kIdentities.size(); ++i) {
    const RecordIdentity& identity = kIdentities[i];
    const std::uint32_t bit = 1u << i;
    const bool vouches = (ever_broken & bit) == 0 && !identity.whole_pmds;
    if ((record.asked & bit) == 0 || ((broken & bit) == 0 && !vouches)) continue;
    relations.push_back(relation_of(identity, record, reads, pages));
  }
  return relations;
}

std::vector<Relation> relations_of(const StatusNumbers& status) {
  std::vector<Relation> relations;
  const auto add = [&](std::string_view check, std::string_view text, std::vector<Term> terms,
                       std::int64_t low) {
    relations.push_back({.check = check,
                         .text = text,
                         .terms = std::move(terms),
                         .low = low,
                         .high = 0,
                         .same_record = true});
  };
  const auto term = [](std::string_view field, std::int64_t factor, std::uint64_t bytes) {
    return term_of(Interface::status, field, factor, bytes);
  };
  if (status.vm_rss && status.rss_anon && status.rss_file && status.rss_shmem) {
    add("I1.rss_parts", "VmRSS = RssAnon + RssFile + RssShmem",
        {term("VmRSS", 1, *status.vm_rss), term("RssAnon", -1, *status.rss_anon),
         term("RssFile", -1, *status.rss_file), term("RssShmem", -1, *status.rss_shmem)},
        0);
  }
  if (status.vm_rss && status.vm_hwm) {
    add("I1.hwm", "VmRSS <= VmHWM",
        {term("VmRSS", 1, *status.vm_rss), term("VmHWM", -1, *status.vm_hwm)}, kNoLowerBound);
  }
  if (status.vm_size && status.vm_peak) {
    add("I1.peak", "VmSize <= VmPeak",
        {term("VmSize", 1, *status.vm_size), term("VmPeak", -1, *status.vm_peak)}, kNoLowerBound);
  }
  return relations;
}

std::vector<Relation> relations_of(const ProcStatm& statm, const PageGeometry& pages) {
  return {{.check = "I1.statm_parts",
           .text = "shared <= resident",
           .terms = {term_of(Interface::statm, "shared", 1, pages.bytes(statm.shared_pages)),
                     term_of(Interface::statm, "resident", -1, pages.bytes(statm.resident_pages))},
           .low = kNoLowerBound,
           .high = 0,
           .same_record = true}};
}

bool breaks_identity(const StatusNumbers& status) {
  const std::vector<Relation> relations = relations_of(status);
  return std::any_of(relations.begin(), relations.end(),
                     [](const Relation& relation) { return !relation.holds(); });
}

}  // namespace smaps_audit
