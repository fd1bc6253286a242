// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "probes/probe.h"

namespace smaps_audit::probes {

/// Every probe, in the order in which they run.
std::span<const Probe* const> catalogue();

const Probe* find_probe(std::string_view name);

struct Choice {
  std::vector<std::string> names = {};  ///< empty: by tier
  bool all = false;
  bool allow_sysctl = false;
};
/// Without names: the instant probes; with `allow_sysctl` those that wait for NUMA balancing too;
/// with `all` everything but what is run by name only. Error `usage` names what is not known.
Result<std::vector<const Probe*>> choose(const Choice& choice);

}  // namespace smaps_audit::probes
