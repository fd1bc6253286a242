// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "probes/probe.h"

namespace smaps_audit::probes {

/// What one interface counts as resident in a region.
struct Witness {
  std::string_view name;
  std::uint64_t bytes = 0;
};
/// Those that could be read, smaps first.
std::vector<Witness> witnesses_of(const RegionMeasure& measure);

/// "smaps 0 kB, numa_maps 32768 kB, …"
std::string in_words(const std::vector<Witness>& witnesses);
std::string kib_text(std::uint64_t bytes);
/// "8192 pages on node 0", "512 pages ENOENT".
std::string in_words(const std::map<int, std::uint64_t>& move_status);

/// The instrument: controls that do not read as declared, a child that faulted while it was held, a
/// region that was not found. nullopt: it works.
std::optional<std::string> broken_instrument(const Observation& observation);

/// The subjects of a state against their declared truth, by all interfaces and by `check`. Passes
/// where all agree; fails with K01 or without a name where some deny what others confirm;
/// inconclusive where nothing confirms the truth, or the instrument is broken.
Answer judge_residency(const Observation& observation);

/// As above for one state of a trial; a state that is missing is inconclusive.
Answer judge_residency(const Trial& trial, std::string_view state);

/// The regions' own data, checked by the child: the fact "data_intact". Turns an answer into a
/// failure if it was damaged, and into an inconclusive one if it was not told.
Answer with_data_check(const Trial& trial, Answer answer);

Answer inconclusive(std::string reason);

}  // namespace smaps_audit::probes
