// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace smaps_audit::bench {

/// Quartiles, by the nearest rank.
struct Quartiles {
  double low = 0;
  double median = 0;
  double high = 0;
};

inline Quartiles quartiles_of(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const auto at = [&](std::size_t quarter) { return values[(values.size() - 1) * quarter / 4]; };
  return {at(1), at(2), at(3)};
}

/// Ratios of what was measured side by side in the same rounds, so that a slow round weighs on
/// both.
inline Quartiles ratio_of(const std::vector<double>& measured, const std::vector<double>& base) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < std::min(measured.size(), base.size()); ++i) {
    if (base[i] > 0) ratios.push_back(measured[i] / base[i]);
  }
  return quartiles_of(std::move(ratios));
}

}  // namespace smaps_audit::bench
