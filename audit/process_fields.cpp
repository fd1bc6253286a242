// SPDX-License-Identifier: Apache-2.0
// ProcessAudit and the fields beside Rss: what the screen suspects of them, and what a series says
// of them (docs/checks.md, I1–I6).
#include <algorithm>
#include <array>

#include "audit/process_audit.h"
#include "collect/sampler.h"

namespace smaps_audit {
namespace {

/// Does the finding accuse this claim, alone or in a pair?
bool names(const Finding& finding, const Claim& claim) {
  const bool interface = finding.interface == claim.interface || finding.against == claim.interface;
  return interface && finding.field == claim.field;
}

/// Pages that are left out or made up: every other field of that interface is off with them.
bool accuses_pages_of(const Finding& finding, Interface interface) {
  const bool of_pages = finding.field == "Rss" || finding.field == "N*";
  return of_pages && (finding.interface == interface || finding.against == interface);
}

/// Fields of mapped pages that nobody but the target changes; what is shared, dirty or referenced
/// changes between two reads with what others do.
constexpr std::array kSteadyFields = {SmapsField::anonymous, SmapsField::anon_huge_pages,
                                      SmapsField::shmem_pmd_mapped, SmapsField::file_pmd_mapped};

/// Worth a series? A fork elsewhere that shares a few pages between two reads is not.
bool worth_a_series(const Relation& relation, std::uint64_t vmas) {
  if (relation.holds()) return false;
  const bool steady =
      std::any_of(kSteadyFields.begin(), kSteadyFields.end(), [&](SmapsField field) {
        return relation.terms.front().claim.field == smaps_field_name(field);
      });
  return relation.check != "I3" || steady || relation.error() > 1024 * vmas;
}

}  // namespace

/// Do the fields of the screen fit? A miss means nothing yet: the series decides. What is compared
/// between two reads is asked of a sleeping process only.
bool ProcessAudit::fields_suspect() const {
  FieldWatch fields{pages_, capabilities_.mapcount_per_page};
  if (rollup_record_) fields.on_rollup(*rollup_record_);
  const auto& before = end_.status_before;
  const auto& after = end_.status_after;
  if (end_.asleep) {
    fields.on_smaps(sums_);
    if (numa_read_) fields.on_numa(numa_sums_);
    const bool still =
        before && after && before->vm_size == after->vm_size && before->vm_rss == after->vm_rss;
    if (still && end_.statm) fields.on_status(*after, *end_.statm);
  }
  const FieldLimits limits{.asleep = end_.asleep, .slack = counter_slack(), .walk = resident_};
  if (fields.unseen_copies(fields.smaps(SmapsField::anonymous), limits)) return true;
  if (fields.beyond_counters(fields.smaps(SmapsField::rss), limits)) return true;
  const std::vector<Relation> relations = fields.relations(limits);
  return std::any_of(relations.begin(), relations.end(), [this](const Relation& relation) {
    return worth_a_series(relation, sums_.vmas);
  });
}

bool ProcessAudit::is_explained(const Relation& relation) const {
  return std::any_of(findings_.begin(), findings_.end(), [&](const Finding& finding) {
    // Which counter VmRSS is off by, or disputed pages are in, need not be a finding of its own.
    const bool of_pages = finding.check == "I4" || finding.field == "Rss";
    if (of_pages && relation.check.starts_with("I4.")) return true;
    return std::any_of(relation.terms.begin(), relation.terms.end(), [&](const Term& term) {
      return names(finding, term.claim) ||
             (relation.crosses_interfaces() && accuses_pages_of(finding, term.claim.interface));
    });
  });
}

/// The fields of single VMAs and the totals together: who lies about one shows in both.
void ProcessAudit::conclude_fields() {
  std::vector<Relation> relations = std::move(vma_relations_);
  vma_relations_.clear();
  if (plan_.whole_mm && steps_ >= kSeriesSteps) {
    for (Relation& relation : totals_.relations(asleep_, counter_slack())) {
      if (relation.holds() || relation.reads >= kSeriesSteps)
        relations.push_back(std::move(relation));
    }
  }
  std::erase_if(relations, [this](const Relation& relation) {
    return !relation.holds() && is_explained(relation);
  });
  for (const Accusation& accusation : accuse(relations)) {
    Finding finding = finding_of(accusation, relations);
    if (finding.basis != Basis::same_record) finding.basis = series_basis();
    findings_.push_back(std::move(finding));
  }
}

}  // namespace smaps_audit
