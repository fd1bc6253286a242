// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "audit/relation.h"
#include "base/page_geometry.h"
#include "collect/target.h"
#include "parsers/smaps.h"

namespace smaps_audit {

/// Which records an identity is asked of. Hugetlb mappings count other memory: of none of them.
enum class AskedOf : std::uint8_t {
  every_record,       ///< of smaps and of the rollup
  mapping,            ///< of smaps only: needs Size or VmFlags
  anonymous_mapping,  ///< private, without a file: no page can be mapped there twice
  other_record,       ///< the rollup, and mappings of files
  rollup,
  locked_mapping,    ///< VmFlags: lo
  unlocked_mapping,  ///< VmFlags without lo
};

struct FieldTerm {
  SmapsField field = SmapsField::rss;
  std::int8_t factor = 0;
};

/// A relation inside one record of smaps or smaps_rollup (docs/method.md §7): one snapshot under
/// one lock, so no race explains it. low ≤ Σ factor · field + length_factor · (end − start) ≤ high.
struct RecordIdentity {
  std::string_view check;  ///< "I2.rss_parts", a row of audit/checks.cpp
  std::string_view relation;
  AskedOf asked_of = AskedOf::every_record;
  std::span<const FieldTerm> terms;
  std::int8_t length_factor = 0;
  std::int64_t low = 0;
  std::int64_t high = 0;
  bool whole_pmds = false;  ///< instead of the bounds: a multiple of the size of a PMD
};

/// At most 32: the functions below speak of them by bits.
std::span<const RecordIdentity> record_identities();

/// The identities that this record breaks, one bit each. Fields that are absent are not asked.
std::uint32_t broken_identities(const SmapsRecord& record, const PageGeometry& pages);

/// The numbers of a record that is kept for its identities, without views into its text.
struct KeptRecord {
  Interface interface = Interface::smaps;
  SmapsValues values;
  std::uint64_t length = 0;
  std::uint32_t asked = 0;  ///< the identities that its fields and flags allow
};
KeptRecord keep(const SmapsRecord& record, Interface interface);

/// The relations of `record`: those of `broken`, and those that hold and bound from both sides,
/// which can vouch for their fields.
std::vector<Relation> relations_of(const KeptRecord& record, std::uint32_t broken,
                                   std::uint32_t ever_broken, std::uint64_t reads,
                                   const PageGeometry& pages);

/// I1 and its like: VmRSS = RssAnon + RssFile + RssShmem of one read, VmHWM ≥ VmRSS and
/// VmPeak ≥ VmSize, which the kernel prints as the larger of the two; statm: shared ≤ resident.
/// Those whose fields are there.
std::vector<Relation> relations_of(const StatusNumbers& status);
std::vector<Relation> relations_of(const ProcStatm& statm, const PageGeometry& pages);

/// Does one of them not hold?
bool breaks_identity(const StatusNumbers& status);

}  // namespace smaps_audit
