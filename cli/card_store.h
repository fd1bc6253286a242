// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "probes/card.h"

namespace smaps_audit {

/// Where the last behaviour card is kept: `given` (--spool), else /var/lib/smaps-audit for root,
/// else $XDG_STATE_HOME/smaps-audit, else ~/.local/state/smaps-audit. nullopt: nowhere.
std::optional<std::string> spool_directory(const std::optional<std::string>& given);

/// Replaces DIRECTORY/card.json, which appears whole or not at all; makes the directory.
Result<Ok> store_card(const std::string& directory, const probes::BehaviourCard& card);

/// Error `gone`: none was stored yet; `malformed`; `denied`.
Result<probes::BehaviourCard> load_card(const std::string& directory);

}  // namespace smaps_audit
