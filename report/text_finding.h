// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "audit/verdict.h"

namespace smaps_audit {

/// The process's findings, the largest error first (smaps before the others where equal).
std::vector<const Finding*> by_weight(const ProcessReport& process);

/// "smaps says Rss 1.7 MiB, true 65.7 MiB": the process's totals where the finding is about them.
/// Where every read of a defect is another number (K03), the worst of them and what is surely true.
std::string claim_text(const ProcessReport& process, const Finding& finding);

/// Does the defect tell another number in every read? Then the finding shows the worst one.
bool varies(const Finding& finding);

/// "K05: status VmRSS 1.2 MiB missing: <title> (explain K05)", fitted into `columns`.
std::string note_text(const Finding& note, std::size_t columns);

/// "K05 in 10 processes: <title> (explain K05)", fitted into `columns`; `id` of a defect or a
/// check.
std::string note_summary(const std::string& id, std::uint64_t processes, std::size_t columns);

/// "64.0 MiB missing", "at least 2.0 MiB too much".
std::string error_text(const Finding& finding);

/// One sentence each: what is wrong, how sure that is, what the defect is (unknown ones too).
std::string wrong_text(const std::vector<const Finding*>& findings);
std::string basis_text(const Finding& finding);
std::string defect_text(const Finding& finding);

/// "mprotect(PROT_NONE)", "NUMA balancing hint".
std::string cause_text(Cause cause);

/// What a person can do about the finding's defect, one sentence each.
std::vector<std::string> advice(const Finding& finding, int pid);

}  // namespace smaps_audit
