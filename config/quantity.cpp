// SPDX-License-Identifier: Apache-2.0
#include "config/quantity.h"

#include <array>
#include <limits>
#include <optional>
#include <span>

#include "base/parse_int.h"

namespace smaps_audit {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

// The largest first.
constexpr std::array kDurationUnits{Unit{"d", 86'400'000'000'000},
                                    Unit{"h", 3'600'000'000'000},
                                    Unit{"m", 60'000'000'000},
                                    Unit{"s", 1'000'000'000},
                                    Unit{"ms", 1'000'000},
                                    Unit{"us", 1'000},
                                    Unit{"ns", 1}};
constexpr std::array kSizeUnits{
    Unit{"TiB", std::uint64_t{1} << 40}, Unit{"GiB", std::uint64_t{1} << 30},
    Unit{"MiB", std::uint64_t{1} << 20}, Unit{"KiB", std::uint64_t{1} << 10}, Unit{"B", 1}};

Error wrong(std::string_view text, const std::string& what) {
  return Error{.code = ErrorCode::usage, .what = "\"" + std::string{text} + "\" " + what};
}

struct Words {
  std::string_view what;     ///< "is no duration"
  std::string_view example;  ///< "15s"
  std::string_view units;
};
constexpr Words kDurationWords{"is no duration", "15s", "ns, us, ms, s, m, h or d"};
constexpr Words kSizeWords{"is no size", "64MiB", "B, KiB, MiB, GiB or TiB"};

Result<std::uint64_t> parse_quantity(std::string_view text, std::span<const Unit> units,
                                     std::uint64_t most, const Words& words) {
  const std::size_t digits = text.find_first_not_of("0123456789");
  const std::string form = ": a whole number and its unit (" + std::string{words.units} +
                           "), as \"" + std::string{words.example} + "\"";
  if (digits == 0 || digits == std::string_view::npos) {
    return wrong(text, std::string{words.what} + form);
  }
  const std::string_view name = text.substr(digits);
  for (const Unit& unit : units) {
    if (unit.name != name) continue;
    const std::optional<std::uint64_t> number = parse_unsigned(text.substr(0, digits));
    if (!number || *number > most / unit.factor) return wrong(text, "is too large a number");
    return *number * unit.factor;
  }
  return wrong(text, std::string{words.what} + form);
}

std::string quantity_text(std::uint64_t value, std::span<const Unit> units, std::string_view zero) {
  if (value == 0) return std::string{zero};
  for (const Unit& unit : units) {
    if (value % unit.factor == 0)
      return std::to_string(value / unit.factor) + std::string{unit.name};
  }
  return "";  // every value is a multiple of the last unit
}

}  // namespace

Result<std::chrono::nanoseconds> parse_duration(std::string_view text) {
  const Result<std::uint64_t> value = parse_quantity(
      text, kDurationUnits, std::numeric_limits<std::int64_t>::max(), kDurationWords);
  if (!value) return value.error();
  return std::chrono::nanoseconds{static_cast<std::int64_t>(*value)};
}

std::string duration_text(std::chrono::nanoseconds duration) {
  return quantity_text(static_cast<std::uint64_t>(duration.count()), kDurationUnits, "0s");
}

Result<std::uint64_t> parse_size(std::string_view text) {
  return parse_quantity(text, kSizeUnits, std::numeric_limits<std::uint64_t>::max(), kSizeWords);
}

std::string size_text(std::uint64_t bytes) { return quantity_text(bytes, kSizeUnits, "0B"); }

}  // namespace smaps_audit
