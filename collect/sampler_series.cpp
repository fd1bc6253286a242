// SPDX-License-Identifier: Apache-2.0
// The confirming series of Sampler (docs/method.md §6).
#include <algorithm>
#include <span>

#include "collect/sampler.h"
#include "collect/sampler_texts.h"

namespace smaps_audit {
namespace {

constexpr Nanoseconds kShortestPauseSpan = std::chrono::milliseconds(3);
constexpr Nanoseconds kLongestPauseSpan = std::chrono::milliseconds(100);

}  // namespace

Result<Ok> Sampler::confirm(SampleSink& sink) {
  while (true) {
    const SeriesPlan plan = sink.plan_series();
    if (!plan.wanted || too_late_for(plan)) return Ok{};
    Result<Ok> done = series(sink, plan);
    if (!done) return done;
  }
}

/// A step takes about as long as the sweep: it walks every VMA once instead of twice, and pauses.
bool Sampler::too_late_for(const SeriesPlan& plan) const {
  const Nanoseconds end = view_.monotonic_now() + kSeriesSteps * sweep_took_;
  return plan.if_in_time && end > limits_.deadline;
}

Result<Ok> Sampler::series(SampleSink& sink, const SeriesPlan& plan) {
  if (plan.whole_mm) {
    Result<Ok> listed = each_smaps_text(UINT64_MAX, [&](const SmapsText& text) {
      sink.on_listing(text);
      return Result<Ok>{Ok{}};
    });
    if (!listed) return listed;
  }
  random_.seed(view_.entropy());
  const ThreadsState threads_before = read_threads(view_, target_, capabilities_.wchan);
  const bool looks_asleep = capabilities_.wchan && proven_asleep(threads_before, threads_before);
  const bool shared = !looks_asleep || may_share_mm(view_, target_);
  const auto faults_before = target_.faults(view_);
  if (!faults_before) return faults_before.error();
  last_bracket_ = Nanoseconds{0};
  Result<Ok> passed = series_pass(sink);
  if (!passed) return passed;

  bool asleep = looks_asleep && !shared;
  const bool in_execve =
      !asleep || !plan.whole_mm || may_be_in_execve(view_, target_, threads_before);
  for (unsigned step = 1;; ++step) {
    pause();
    last_bracket_ = Nanoseconds{0};
    Result<Ok> stepped = series_step(sink, plan.whole_mm);
    if (!stepped) return stepped;

    std::optional<Stillness> still;
    if (step % kSeriesSteps == 0 || step == kFirstSleepStep || step == kNumaMapsSteps) {
      const auto faults_now = target_.faults(view_);
      if (!faults_now) return faults_now.error();
      still = Stillness{.faults = *faults_now - *faults_before, .in_execve = in_execve};
      asleep = asleep && still->faults == 0 &&
               proven_asleep(threads_before, read_threads(view_, target_, capabilities_.wchan));
      still->asleep = asleep;
      if (asleep && plan.whole_mm) still->hardware_corrupted = read_hardware_corrupted(view_);
    }
    if (sink.on_step(step, still) == StepDecision::done) return Ok{};
  }
}

/// Reads and pass in an order that a coin decides: a target that flips its pages in step with our
/// reads can't know whether the next one should find them or not (docs/method.md §6).
Result<Ok> Sampler::series_step(SampleSink& sink, bool whole_mm) {
  const bool reads_first = coin();
  Result<Ok> done = reads_first ? series_reads(sink, whole_mm) : series_pass(sink);
  if (!done) return done;
  pause();
  return reads_first ? series_pass(sink) : series_reads(sink, whole_mm);
}

Result<Ok> Sampler::series_pass(SampleSink& sink) {
  Result<Ok> in_time = within_deadline(target_.pagemap());
  if (!in_time) return in_time;
  const std::span<const Range> ranges = sink.watched_ranges();
  const std::span<const Range> counted = sink.counted_ranges();
  const Nanoseconds began = view_.monotonic_now();
  pass_.clear();
  plain_.clear();
  Result<Ok> walked = capabilities_.pagemap_scan ? reader_.walk(target_.pagemap(), ranges, pass_)
                                                 : walk_plain_once(ranges, counted);
  std::uint64_t bytes = 0;
  for (const Range& range : ranges) bytes += range.length();
  const bool second_witness = pass_.by_scan && bytes <= kPlainAddressBudgetBytes;
  if (walked && second_witness) walked = reader_.walk_plain(target_.pagemap(), ranges, plain_);
  if (!walked) return walked;
  last_bracket_ += view_.monotonic_now() - began;
  sink.on_pass(pass_, second_witness ? &plain_ : nullptr);
  if (counted.empty()) return Ok{};
  if (!pass_.by_scan) {
    sink.on_mappings(pass_);
    return Ok{};
  }
  plain_.clear();
  // What can't be read is not known: no verdict on Rss depends on it.
  if (reader_.walk_plain(target_.pagemap(), counted, plain_, Mappings::counted)) {
    sink.on_mappings(plain_);
  }
  return Ok{};
}

/// The words that tell the pages tell their mappings, too: beside threads that map and unmap flat
/// out the waits for mmap_lock are nearly all that a pass takes. `counted` are some of `ranges`.
Result<Ok> Sampler::walk_plain_once(std::span<const Range> ranges, std::span<const Range> counted) {
  pass_.by_scan = false;
  std::size_t first = 0;
  std::size_t next_counted = 0;
  const auto is_counted = [&](std::size_t at) {
    return next_counted < counted.size() && counted[next_counted] == ranges[at];
  };
  while (first < ranges.size()) {
    const bool count = is_counted(first);
    std::size_t last = first;
    for (; last < ranges.size() && is_counted(last) == count; ++last) next_counted += count ? 1 : 0;
    Result<Ok> walked = reader_.walk_plain(target_.pagemap(), ranges.subspan(first, last - first),
                                           pass_, count ? Mappings::counted : Mappings::ignored);
    if (!walked) return walked;
    first = last;
  }
  return Ok{};
}

Result<Ok> Sampler::series_reads(SampleSink& sink, bool whole_mm) {
  const std::span<const Range> ranges = sink.watched_ranges();
  const std::uint64_t until = whole_mm ? UINT64_MAX : (ranges.empty() ? 0 : ranges.back().last);
  const auto read_numa = [&]() -> Result<Ok> {
    if (!target_.numa_maps() || !capabilities_.numa_maps || !sink.wants_numa()) return Ok{};
    return each_numa_text(until, [&](const NumaMapsText& text) { sink.on_series_numa(text); });
  };
  const auto read_smaps = [&]() -> Result<Ok> {
    return each_smaps_text(until, [&](const SmapsText& text) {
      sink.on_series_smaps(text);
      return Result<Ok>{Ok{}};
    });
  };
  // Whoever waits for mmap_lock works right behind a read: what is compared must not be read in one
  // order.
  const bool rollup_first = coin();
  const auto read_smaps_and_rollup = [&]() -> Result<Ok> {
    if (!whole_mm) return read_smaps();
    Result<Ok> first = rollup_first ? series_rollup(sink) : read_smaps();
    if (!first) return first;
    return rollup_first ? read_smaps() : series_rollup(sink);
  };
  std::optional<StatusNumbers> status;
  ProcStatm statm;
  const auto read_status = [&]() -> Result<Ok> {
    const auto numbers = target_.status(view_);
    if (!numbers) return numbers.error();
    const auto sizes = target_.statm(view_);
    if (!sizes) return sizes.error();
    status = *numbers;
    statm = *sizes;
    return Ok{};
  };
  const Nanoseconds began = view_.monotonic_now();
  const bool status_first = coin();
  Result<Ok> read = status_first ? read_status() : Result<Ok>{Ok{}};
  const bool numa_first = coin();
  if (read) read = numa_first ? read_numa() : read_smaps_and_rollup();
  if (read) read = numa_first ? read_smaps_and_rollup() : read_numa();
  if (read && !status) read = read_status();
  if (!read) return read;
  sink.on_series_status(*status, statm);
  last_bracket_ += view_.monotonic_now() - began;
  return Ok{};
}

Result<Ok> Sampler::series_rollup(SampleSink& sink) {
  if (!target_.smaps_rollup()) return Ok{};
  return read_rollup([&](const SmapsRecord& rollup) { sink.on_series_rollup(rollup); });
}

/// Uniform in 0 … 3 × the last bracket, at least 3 ms, at most 100 ms: a pause that spans the
/// bracket makes the reads independent of the target's rhythm (docs/method.md §6).
void Sampler::pause() {
  if (!limits_.random_pauses) return;
  const Nanoseconds span = std::clamp(3 * last_bracket_, kShortestPauseSpan, kLongestPauseSpan);
  const auto part = static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(span.count()));
  view_.sleep_for(Nanoseconds{part});
}

bool Sampler::coin() { return limits_.random_pauses && (random_() >> 63) != 0; }

}  // namespace smaps_audit
