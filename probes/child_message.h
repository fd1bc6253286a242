// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.h"
#include "probes/probe.h"

namespace smaps_audit::probes {

/// The lines that a probe's child writes to its parent, one a message.
struct Fact {
  std::string name;
  std::int64_t value = 0;
  bool operator==(const Fact&) const = default;
};
/// All regions declared so far are gone.
struct ForgetRegions {
  bool operator==(const ForgetRegions&) const = default;
};
/// The child stays as it is until it is told to go on.
struct Hold {
  std::string state;
  bool operator==(const Hold&) const = default;
};
/// The child has nothing more to tell: done, or why it could not reach its state.
struct End {
  std::optional<Outcome> outcome;  ///< skipped or inconclusive; nullopt: done
  std::string reason;
  bool operator==(const End&) const = default;
};
using ChildMessage = std::variant<RegionTruth, Fact, ForgetRegions, Hold, End>;

/// One line with its '\n'. Line breaks in a reason become blanks.
std::string to_line(const ChildMessage& message);

/// A line without its '\n'. Error `malformed`: no message of ours, an empty or reversed range, more
/// resident bytes than the range holds.
Result<ChildMessage> parse_child_message(std::string_view line);

}  // namespace smaps_audit::probes
