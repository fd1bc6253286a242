// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>

#include "base/result.h"
#include "daemon/store/sqlite.h"
#include "probes/card.h"

/// Private to the store: behaviour cards, which `smaps-audit probe` writes as another user.
namespace smaps_audit::store {

/// A card is about 10 kB.
inline constexpr std::size_t kLargestCard = std::size_t{1} << 20;
/// Cards of earlier boots that are kept.
inline constexpr int kKeptBoots = 16;

/// The card in a spool directory. Believes nothing: a symbolic link, a FIFO or device, more than
/// kLargestCard bytes, or what is no card is an error, and nothing of it waits.
Result<probes::BehaviourCard> read_spooled_card(const std::string& directory);

/// Replaces the card of its boot and the outcomes that it names; false: they are the same already.
Result<bool> write_card(const Database& database, const probes::BehaviourCard& card);
Result<std::optional<probes::BehaviourCard>> select_card(const Database& database,
                                                         const std::string& boot_id);

}  // namespace smaps_audit::store
