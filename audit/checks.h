// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string_view>

namespace smaps_audit {

/// One relation between witnesses that holds on every correct kernel (docs/kernel.md §3,
/// docs/checks.md).
struct CheckText {
  std::string_view id;          ///< stable: "I7"
  std::string_view relation;    ///< a sentence
  std::string_view witnesses;   ///< what must be readable
  std::string_view without;     ///< what is said where a witness is missing
  std::string_view exceptions;  ///< where a correct kernel differs, and what is done about it
  std::string_view confirmed;   ///< what it takes to become a finding
};

/// All of them, in the order of their numbers.
std::span<const CheckText> check_texts();

/// nullptr for an id that is not in the table.
const CheckText* find_check(std::string_view id);

}  // namespace smaps_audit
