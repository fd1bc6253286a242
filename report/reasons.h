// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string_view>

namespace smaps_audit {

/// Why a process got no conclusive verdict, in words. `word` is ProcessReport::reason.
struct ReasonText {
  std::string_view word;
  std::string_view meaning;  ///< a sentence
  std::string_view help;     ///< what would change it; empty: nothing would
};

/// Every reason that an audit gives, most telling first.
std::span<const ReasonText> reason_texts();

/// nullptr for a word that is not in the table.
const ReasonText* find_reason(std::string_view word);

}  // namespace smaps_audit
