// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <iosfwd>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "base/result.h"
#include "probes/card.h"
#include "report/report.h"

namespace smaps_audit {

/// Its file in the spool directory.
inline constexpr const char* kCardFile = "card.json";

/// One line of JSON, schema smaps-audit.card/1: what is kept between runs.
std::string card_text(const probes::BehaviourCard& card);
/// Error `malformed` for what card_text() never wrote.
Result<probes::BehaviourCard> parse_card(std::string_view text);

/// Private to report/.
nlohmann::ordered_json card_json(const probes::BehaviourCard& card);

/// Every row with its reason.
void write_card(std::ostream& out, const probes::BehaviourCard& card, const TextStyle& style);
/// Present with titles, absent and unknown as lists of ids.
void write_card_brief(std::ostream& out, const probes::BehaviourCard& card, const TextStyle& style);

}  // namespace smaps_audit
