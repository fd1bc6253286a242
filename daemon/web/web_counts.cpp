// SPDX-License-Identifier: Apache-2.0
#include "daemon/web/web_counts.h"

#include <algorithm>

namespace smaps_audit {

void WebCounters::count_request(PathClass path_class, unsigned status) {
  const auto found = std::find(kCountedStatus.begin(), kCountedStatus.end() - 1, status);
  const auto column = static_cast<std::size_t>(found - kCountedStatus.begin());
  requests_.at(static_cast<std::size_t>(path_class)).at(column).fetch_add(1);
}

void WebCounters::add_to(WebCounts& counts) const {
  for (std::size_t row = 0; row < kPathClasses; ++row) {
    for (std::size_t column = 0; column < kCountedStatus.size(); ++column) {
      const std::uint64_t count = requests_.at(row).at(column).load();
      if (count == 0 && kCountedStatus.at(column) != 200) continue;
      counts.requests.push_back({static_cast<PathClass>(row), kCountedStatus.at(column), count});
    }
  }
  counts.accepted = accepted.load();
  counts.refused_total_limit = refused_total_limit.load();
  counts.refused_address_limit = refused_address_limit.load();
  counts.evicted = evicted.load();
  counts.expired = expired.load();
  counts.incomplete = incomplete.load();
  counts.tls_failures = tls_failures.load();
  counts.auth_failures = auth_failures.load();
  counts.auth_refused = auth_refused.load();
}

}  // namespace smaps_audit
