// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/settings.h"
#include "daemon/exported_groups.h"
#include "daemon/ledger.h"
#include "daemon/snapshot.h"

namespace smaps_audit::service {

/// The rules of the configuration, as the ledger asks them.
GroupOf group_of(const TargetSettings& targets);

/// Which groups the metrics name: a choice that is kept for a day.
class ExportChoice {
 public:
  std::vector<std::string> choose(const Snapshot& snapshot, std::uint32_t most);

 private:
  ExportedGroups groups_;
};

}  // namespace smaps_audit::service
