// SPDX-License-Identifier: Apache-2.0
#include "probes/measure.h"

#include <numaif.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "collect/page_reader.h"
#include "collect/target.h"
#include "parsers/numa_maps.h"

namespace smaps_audit::probes {
namespace {

constexpr int kAttempts = 3;

bool inside(Range vma, Range region) {
  return region.first <= vma.first && vma.last <= region.last;
}

void add(SmapsValues& sums, const SmapsValues& values) {
  for (std::size_t i = 0; i < kSmapsFieldCount; ++i) {
    const auto field = static_cast<SmapsField>(i);
    const auto bytes = values.bytes(field);
    if (bytes) sums.set(field, sums.bytes(field).value_or(0) + *bytes);
  }
}

void keep_extremes(Observation& observation, std::uint64_t rss) {
  auto& facts = observation.facts;
  const auto value = static_cast<std::int64_t>(rss);
  const auto lowest = facts.try_emplace("lowest_rss", value).first;
  lowest->second = std::min(lowest->second, value);
  ++facts["reads"];
}

}  // namespace

Observation Measurer::begin(const std::string& state) const {
  Observation observation;
  observation.state = state;
  observation.truths = truths_;
  observation.measures.resize(truths_.size());
  observation.facts = facts_;
  return observation;
}

Observation Measurer::failed(Observation observation, const Error& error) {
  if (!error_) error_ = error;
  return observation;
}

Result<Target> Measurer::open() {
  RefusedTarget refused;
  return Target::open(environment_.view, pid_, refused);
}

Result<Ok> Measurer::measure_regions(const Target& target, Observation& observation) {
  const auto text = read_whole(environment_.view, target.smaps());
  if (!text) return text.error();
  const auto records = parse_smaps(*text);
  if (!records) return records.error();
  observation.smaps_rss_bytes = 0;
  observation.smaps_anonymous_bytes = 0;
  for (const SmapsRecord& record : records->records) {
    observation.smaps_rss_bytes += record.values.bytes(SmapsField::rss).value_or(0);
    observation.smaps_anonymous_bytes += record.values.bytes(SmapsField::anonymous).value_or(0);
    for (std::size_t i = 0; i < truths_.size(); ++i) {
      if (!inside({record.header.start, record.header.end}, truths_[i].range)) continue;
      RegionMeasure& measure = observation.measures[i];
      add(measure.smaps, record.values);
      measure.accessible = record.header.accessible();
      ++measure.vmas;
    }
  }
  return Ok{};
}

Result<Ok> Measurer::measure_numa(const Target& target, Observation& observation) {
  if (!target.numa_maps() || !environment_.capabilities.numa_maps) return Ok{};
  const auto text = read_whole(environment_.view, *target.numa_maps());
  if (!text) return text.error();
  const auto records = parse_numa_maps(*text);
  if (!records) return records.error();
  for (std::size_t i = 0; i < truths_.size(); ++i) {
    RegionMeasure& measure = observation.measures[i];
    measure.numa_bytes = 0;
    measure.numa_dirty_bytes = 0;
    for (const NumaMapsRecord& record : records->records) {
      if (record.start < truths_[i].range.first || record.start >= truths_[i].range.last) continue;
      const std::uint64_t unit =
          record.huge ? record.kernel_page_bytes.value_or(0) : environment_.pages.page_bytes;
      *measure.numa_bytes += record.total_pages * unit;
      *measure.numa_dirty_bytes += record.dirty_pages.value_or(0) * unit;
    }
  }
  return Ok{};
}

Result<Ok> Measurer::measure_pages(const Target& target, Observation& observation) {
  if (!environment_.capabilities.pagemap) return Ok{};
  const PageGeometry& pages = environment_.pages;
  PageReader reader{environment_.view, environment_.capabilities, pages};
  for (std::size_t i = 0; i < truths_.size(); ++i) {
    RegionMeasure& measure = observation.measures[i];
    const std::array<Range, 1> ranges{truths_[i].range};
    PagePass plain;
    if (const auto done = reader.walk_plain(target.pagemap(), ranges, plain); !done) {
      return done.error();
    }
    measure.present_bytes = 0;
    for (const PageRun& run : plain.runs) {
      const std::uint64_t bytes = pages.bytes(run.last - run.first);
      if ((run.state & page_state::kPresent) != 0) *measure.present_bytes += bytes;
      if ((run.state & page_state::kExclusive) != 0) measure.exclusive_bytes += bytes;
      if ((run.state & page_state::kFile) != 0) measure.file_bytes += bytes;
      if ((run.state & page_state::kSwapped) != 0) measure.swapped_bytes += bytes;
    }
    if (!environment_.capabilities.pagemap_scan) continue;
    PagePass scan;
    if (const auto done = reader.walk(target.pagemap(), ranges, scan); !done) return done.error();
    measure.scan_bytes = 0;
    for (const PageRun& run : scan.runs) {
      const std::uint64_t bytes = pages.bytes(run.last - run.first);
      if ((run.state & page_state::kPresent) != 0) *measure.scan_bytes += bytes;
      if ((run.state & page_state::kZero) != 0) measure.scan_zero_bytes += bytes;
    }
  }
  return Ok{};
}

void Measurer::measure_moves(Observation& observation) const {
  constexpr std::size_t kAtOnce = 1024;
  std::array<void*, kAtOnce> addresses{};
  std::array<int, kAtOnce> status{};
  for (std::size_t i = 0; i < truths_.size(); ++i) {
    const Range range = truths_[i].range;
    const std::uint64_t page = environment_.pages.page_bytes;
    for (std::uint64_t at = range.first; at < range.last; at += kAtOnce * page) {
      const std::uint64_t count = std::min<std::uint64_t>(kAtOnce, (range.last - at) / page);
      for (std::uint64_t k = 0; k < count; ++k) {
        addresses[k] = reinterpret_cast<void*>(at + k * page);
      }
      if (::move_pages(pid_, count, addresses.data(), nullptr, status.data(), 0) != 0) break;
      for (std::uint64_t k = 0; k < count; ++k) ++observation.measures[i].move_status[status[k]];
    }
  }
}

void Measurer::measure_totals(const Target& target, Observation& observation) {
  if (auto status = target.status(environment_.view)) observation.status = *status;
  if (!target.smaps_rollup()) return;
  const auto text = read_whole(environment_.view, *target.smaps_rollup());
  const auto rollup = text ? parse_smaps_rollup(*text) : Result<SmapsRecord>{text.error()};
  if (rollup) observation.rollup_rss_bytes = rollup->values.bytes(SmapsField::rss);
}

Observation Measurer::brief(const std::string& state) {
  Observation observation = begin(state);
  const auto target = open();
  if (!target) return failed(std::move(observation), target.error());
  if (const auto done = measure_regions(*target, observation); !done) {
    return failed(std::move(observation), done.error());
  }
  if (const auto done = measure_numa(*target, observation); !done) {
    return failed(std::move(observation), done.error());
  }
  if (const auto done = measure_pages(*target, observation); !done) {
    return failed(std::move(observation), done.error());
  }
  measure_totals(*target, observation);
  return observation;
}

Observation Measurer::still(const std::string& state) {
  Observation observation;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const auto target = open();
    if (!target) return failed(begin(state), target.error());
    const auto before = target->faults(environment_.view);
    observation = brief(state);
    if (error_) return observation;
    measure_moves(observation);
    observation.audit = environment_.audit(pid_);
    const auto after = target->faults(environment_.view);
    if (!before) return failed(std::move(observation), before.error());
    if (!after) return failed(std::move(observation), after.error());
    observation.facts["faults_while_held"] = static_cast<std::int64_t>(*after - *before);
    if (*after == *before) break;
  }
  return observation;
}

Observation Measurer::rollup_for(const std::string& state, std::chrono::milliseconds duration) {
  Observation observation = begin(state);
  const auto target = open();
  if (!target) return failed(std::move(observation), target.error());
  const Nanoseconds end = environment_.view.monotonic_now() + duration;
  do {
    measure_totals(*target, observation);
    if (observation.rollup_rss_bytes) keep_extremes(observation, *observation.rollup_rss_bytes);
  } while (environment_.view.monotonic_now() < end && !environment_.stopped());
  return observation;
}

Observation Measurer::region_for(const std::string& state, std::chrono::milliseconds duration) {
  Observation observation = begin(state);
  const auto target = open();
  if (!target) return failed(std::move(observation), target.error());
  const Nanoseconds end = environment_.view.monotonic_now() + duration;
  do {
    for (RegionMeasure& measure : observation.measures) measure = {};
    if (const auto done = measure_regions(*target, observation); !done) {
      return failed(std::move(observation), done.error());
    }
    keep_extremes(observation, observation.measures.at(0).smaps.bytes(SmapsField::rss).value_or(0));
  } while (environment_.view.monotonic_now() < end && !environment_.stopped());
  return observation;
}

}  // namespace smaps_audit::probes
