// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <string>

#include "daemon/metrics.h"
#include "daemon/snapshot.h"
#include "daemon/web/http.h"

namespace smaps_audit::service {

/// What web threads give out: texts made once for each snapshot, so that a scrape costs a copy of a
/// pointer. publish() is called by one thread, handle() by any.
class Publisher {
 public:
  void publish(std::shared_ptr<const Snapshot> snapshot, const WebTotals& web);
  [[nodiscard]] HttpResponse handle(const HttpRequest& request) const;

 private:
  struct Pages {
    std::chrono::steady_clock::time_point made;
    std::shared_ptr<const Snapshot> snapshot;
    std::shared_ptr<const std::string> metrics;
    std::shared_ptr<const std::string> status;      ///< /api/v1/status, for anybody
    std::shared_ptr<const std::string> status_all;  ///< for those who may see all
  };
  [[nodiscard]] std::shared_ptr<const Pages> pages() const;

  mutable std::mutex mutex_;
  std::shared_ptr<const Pages> pages_;
};

}  // namespace smaps_audit::service
