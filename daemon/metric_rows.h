// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <prometheus/metric_family.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "daemon/metrics.h"

/// Private to the metrics: the one table of them.
namespace smaps_audit::service {

/// What a scrape shows.
struct Scrape {
  const Snapshot& snapshot;
  const ProcessCost& cost;
  const WebTotals& web;
  const std::vector<GroupSnapshot>& groups;  ///< exported ones, then "other"
};

/// The samples of one family.
class Samples {
 public:
  using Labels = std::vector<prometheus::ClientMetric::Label>;

  explicit Samples(prometheus::MetricFamily& family) : family_(family) {}

  void add(double value, Labels labels = {}) {
    prometheus::ClientMetric metric;
    metric.label = std::move(labels);
    if (family_.type == prometheus::MetricType::Counter) {
      metric.counter.value = value;
    } else {
      metric.gauge.value = value;
    }
    family_.metric.push_back(std::move(metric));
  }
  void add(std::uint64_t value, Labels labels = {}) {
    add(static_cast<double>(value), std::move(labels));
  }
  void add(bool value, Labels labels = {}) { add(value ? 1.0 : 0.0, std::move(labels)); }

 private:
  prometheus::MetricFamily& family_;
};

/// Who says it: a single check knows what it found, not what a service has seen since its start.
enum class Source : std::uint8_t { service, both };

struct MetricRow {
  const char* name;
  prometheus::MetricType type;
  const char* labels;  ///< for people
  Source source;
  const char* help;  ///< one line
  void (*fill)(const Scrape&, Samples&);
};

const std::vector<MetricRow>& metric_rows();

}  // namespace smaps_audit::service
