// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "collect/host.h"
#include "report/report.h"

namespace smaps_audit {

/// One thing that the kernel may show.
struct DoctorFeature {
  std::string id;             ///< "pagemap-scan"
  std::string name;           ///< for people
  std::optional<bool> works;  ///< nullopt: could not be tried
  std::string detail;         ///< what was seen, e.g. the error; may be empty
  std::string cost;           ///< what it costs to lack it
  std::string remedy;         ///< what would bring it: a capability, a kernel
};

/// docs/platform.md §3.2, each holding all that the ones before hold.
struct PrivilegeLevel {
  std::string name;   ///< "CAP_SYS_PTRACE"
  std::string gives;  ///< what it adds
  std::optional<bool> held;
};

struct DoctorReport {
  std::string tool_version;
  HostInfo host;
  std::vector<DoctorFeature> features;
  std::vector<PrivilegeLevel> levels;
};

/// Schema smaps-audit.doctor/1.
void write_doctor_json(std::ostream& out, const DoctorReport& report);
void write_doctor_text(std::ostream& out, const DoctorReport& report, const TextStyle& style);

}  // namespace smaps_audit
