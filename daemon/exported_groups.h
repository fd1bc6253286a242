// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace smaps_audit::service {

/// What the choice looks at.
struct GroupWeight {
  std::string name;
  bool configured = false;   ///< named by a rule
  bool has_finding = false;  ///< open now
  std::uint64_t rss_bytes = 0;
};

/// Which groups the metrics name; all others are summed up in "other". A series that comes and goes
/// is of no use, so a group that was chosen is kept for a day, if there is room: first the
/// configured, then those with a finding, then those that are kept, then the largest. Within each,
/// the largest first, then by name. The same groups at the same time give the same choice, in
/// whatever order they come. Pure: the time is an argument.
class ExportedGroups {
 public:
  /// Names of at most `most` groups, sorted. `now`: of any clock; one that was set back does not
  /// keep a group for longer than a day from then on.
  std::vector<std::string> choose(std::vector<GroupWeight> groups, std::uint32_t most,
                                  std::chrono::nanoseconds now);

 private:
  std::map<std::string, std::chrono::nanoseconds> kept_until_;
};

}  // namespace smaps_audit::service
