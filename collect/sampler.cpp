// SPDX-License-Identifier: Apache-2.0
#include "collect/sampler.h"

#include <algorithm>
#include <bit>
#include <string_view>

namespace smaps_audit {
namespace {

// With a buffer at least as large as the kernel's, every read(2) of a seq_file returns whole
// records.
constexpr std::size_t kTextBufferBytes = std::size_t{64} << 10;
constexpr std::size_t kSmallestChunkBytes = 4096;  // the seq_file's first buffer
constexpr std::size_t kSmallestRecordBytes = 600;  // of smaps
constexpr Nanoseconds kShortestPauseSpan = std::chrono::milliseconds(3);
constexpr Nanoseconds kLongestPauseSpan = std::chrono::milliseconds(100);
// Per page-table page, before anything was measured (docs/design.md, "Gentle").
constexpr Nanoseconds kWalkPerPageTable = std::chrono::microseconds(15);
constexpr std::uint64_t kPageTableBytes = 4096;

/// Merges two ascending lists of VMAs; where they overlap, the union.
void merge_vmas(std::vector<Range>& vmas) {
  std::sort(vmas.begin(), vmas.end(),
            [](const Range& a, const Range& b) { return a.first < b.first; });
  std::size_t kept = 0;
  for (const Range& vma : vmas) {
    if (kept != 0 && vma.first < vmas[kept - 1].last) {
      vmas[kept - 1].last = std::max(vmas[kept - 1].last, vma.last);
    } else {
      vmas[kept++] = vma;
    }
  }
  vmas.resize(kept);
}

std::uint64_t since(std::optional<std::uint64_t> before, std::optional<std::uint64_t> after) {
  return before && after && *after > *before ? *after - *before : 0;
}

}  // namespace

Sampler::Sampler(KernelView& view, const KernelCapabilities& capabilities,
                 const PageGeometry& pages, const Target& target, const SampleLimits& limits)
    : view_(view),
      capabilities_(capabilities),
      pages_(pages),
      target_(target),
      limits_(limits),
      reader_(view, capabilities, pages),
      look_ahead_(view, target, capabilities.procmap_query),
      buffer_(kTextBufferBytes, '\0') {}

Result<Ok> Sampler::within_deadline(const KernelFile& file) const {
  if (view_.monotonic_now() <= limits_.deadline) return Ok{};
  return Error{.code = ErrorCode::deadline, .what = {}, .file = file.path()};
}

/// One read(2); empty at the end of the file.
Result<std::string_view> Sampler::read_text(const KernelFile& file) {
  Result<Ok> in_time = within_deadline(file);
  if (!in_time) return in_time.error();
  const Nanoseconds began = view_.monotonic_now();
  const auto got = view_.read(file, std::as_writable_bytes(std::span{buffer_}));
  if (!got) return got.error();
  cost_.reading += view_.monotonic_now() - began;
  cost_.text_bytes += *got;
  ++cost_.reads;
  return std::string_view{buffer_}.substr(0, *got);
}

/// `callback(const SmapsText&)` for each read up to the record that reaches `until`.
template <class Callback>
Result<Ok> Sampler::each_smaps_text(std::uint64_t until, const Callback& callback) {
  Result<Ok> rewound = view_.rewind(target_.smaps());
  if (!rewound) return rewound;
  while (true) {
    const auto text = read_text(target_.smaps());
    if (!text) return text.error();
    if (text->empty()) return Ok{};
    largest_chunk_ = std::max(largest_chunk_, text->size());
    const Result<SmapsText> records = parse_smaps(*text);
    if (!records) return in_file(records.error(), target_.smaps());
    Result<Ok> called = callback(*records);
    if (!called) return called;
    if (records->records.empty() || records->records.back().header.end >= until) return Ok{};
  }
}

template <class Callback>
Result<Ok> Sampler::each_numa_text(std::uint64_t until, const Callback& callback) {
  const KernelFile& file = *target_.numa_maps();
  Result<Ok> rewound = view_.rewind(file);
  if (!rewound) return rewound;
  while (true) {
    const auto text = read_text(file);
    if (!text) return text.error();
    if (text->empty()) return Ok{};
    const Result<NumaMapsText> records = parse_numa_maps(*text);
    if (!records) return in_file(records.error(), file);
    callback(*records);
    if (records->records.empty() || records->records.back().start >= until) return Ok{};
  }
}

template <class Callback>
Result<Ok> Sampler::read_rollup(const Callback& callback) {
  const KernelFile& file = *target_.smaps_rollup();
  const auto text = read_whole(view_, file);
  if (!text) return text.error();
  const auto rollup = parse_smaps_rollup(*text);
  if (!rollup) return in_file(rollup.error(), file);
  callback(*rollup);
  return Ok{};
}

std::size_t Sampler::expected_vmas() const {
  return std::bit_ceil(std::max(largest_chunk_, kSmallestChunkBytes)) / kSmallestRecordBytes + 1;
}

Result<Ok> Sampler::sweep(SampleSink& sink) {
  const Nanoseconds began = view_.monotonic_now();
  const ThreadsState threads_before = read_threads(view_, target_, capabilities_.wchan);
  // Asked behind the first look at the threads: whoever sleeps from there on makes no new sharer.
  SweepEnd end;
  end.mm_shared = limits_.sharing != nullptr ? limits_.sharing->may_be_shared(view_, target_)
                                             : may_share_mm(view_, target_);
  const Vmstat vmstat_before = read_vmstat(view_);
  const auto faults_before = target_.faults(view_);
  if (!faults_before) return faults_before.error();
  const auto status_before = target_.status(view_);
  if (!status_before) return status_before.error();
  end.status_before = *status_before;
  if (status_before->vm_pte) {
    cost_.predicted_lock = kWalkPerPageTable * (*status_before->vm_pte / kPageTableBytes);
  }

  Result<Ok> swept = sweep_chunks(sink);
  if (swept) swept = sweep_totals(sink);
  if (!swept) return swept;

  const auto status_after = target_.status(view_);
  if (!status_after) return status_after.error();
  end.status_after = *status_after;
  if (const auto statm = target_.statm(view_)) end.statm = *statm;
  const auto faults_after = target_.faults(view_);
  if (!faults_after) return faults_after.error();
  const Vmstat vmstat_after = read_vmstat(view_);
  const ThreadsState threads_after = read_threads(view_, target_, capabilities_.wchan);

  end.faults = *faults_after - *faults_before;
  end.awake_threads = awake_threads(threads_before, threads_after);
  end.asleep =
      capabilities_.wchan && !end.mm_shared && proven_asleep(threads_before, threads_after);
  end.huge_faults = since(vmstat_before.thp_fault_alloc, vmstat_after.thp_fault_alloc) +
                    since(vmstat_before.thp_file_mapped, vmstat_after.thp_file_mapped);
  end.collapses =
      since(vmstat_before.thp_collapse_alloc, vmstat_after.thp_collapse_alloc) +
      since(vmstat_before.thp_collapse_alloc_failed, vmstat_after.thp_collapse_alloc_failed);
  sweep_took_ = view_.monotonic_now() - began;
  sink.on_sweep_end(end);
  return Ok{};
}

/// G0 P0 text1 P1 G1 text2 P2 G2 …: every pass serves as the end of one bracket and the start of
/// the next; the fault guard of a bracket is read before its first and after its second pass.
Result<Ok> Sampler::sweep_chunks(SampleSink& sink) {
  PagePass before;
  PagePass after;
  Result<Ok> restarted = look_ahead_.restart();
  if (!restarted) return restarted;
  auto oldest_faults = target_.faults(view_);
  if (!oldest_faults) return oldest_faults.error();
  Result<Ok> first = look_ahead_pass(SmapsText{}, before);
  if (!first) return first;
  auto faults = target_.faults(view_);
  if (!faults) return faults.error();

  return each_smaps_text(UINT64_MAX, [&](const SmapsText& text) -> Result<Ok> {
    after.clear();
    Result<Ok> passed = look_ahead_pass(text, after);
    if (!passed) return passed;
    const auto newest_faults = target_.faults(view_);
    if (!newest_faults) return newest_faults.error();
    sink.on_chunk({text, before, after, *newest_faults - *oldest_faults});
    std::swap(before, after);
    oldest_faults = faults;
    faults = newest_faults;
    return Ok{};
  });
}

/// Covers the VMAs of the chunk just read and those that the next one will probably hold.
Result<Ok> Sampler::look_ahead_pass(const SmapsText& text, PagePass& pass) {
  vmas_.clear();
  without_file_.clear();
  std::uint64_t end = 0;
  for (const SmapsRecord& record : text.records) {
    end = record.header.end;
    if (record.header.start >= kKernelHalf) break;
    vmas_.push_back({record.header.start, record.header.end});
    if (!record.header.has_file()) add_without_file(without_file_, vmas_.back());
  }
  if (end < kKernelHalf) {
    Result<Ok> looked = look_ahead_.next(end, expected_vmas(), vmas_, without_file_);
    if (!looked) return looked;
  }
  merge_vmas(vmas_);
  if (!capabilities_.pagemap_scan) {
    std::erase_if(vmas_, [&](const Range& vma) {
      // Decided once: the VMA is walked again in the pass that ends its bracket.
      if (vma.first < budgeted_until_) return left_out_.contains({vma.first, vma.first + 1});
      budgeted_until_ = vma.last;
      if (vma.length() > address_budget_) {
        left_out_.append(vma);
        return true;
      }
      address_budget_ -= vma.length();
      return false;
    });
  }
  const Nanoseconds began = view_.monotonic_now();
  Result<Ok> walked =
      reader_.walk(target_.pagemap(), vmas_, pass, without_file_, Mappings::counted);
  cost_.reading += view_.monotonic_now() - began;
  return walked;
}

Result<Ok> Sampler::sweep_totals(SampleSink& sink) {
  if (target_.smaps_rollup()) {
    Result<Ok> in_time = within_deadline(*target_.smaps_rollup());
    if (!in_time) return in_time;
    Result<Ok> read = read_rollup([&](const SmapsRecord& rollup) { sink.on_rollup(rollup); });
    if (!read) return read;
  }
  if (!target_.numa_maps() || !capabilities_.numa_maps) return Ok{};
  return each_numa_text(UINT64_MAX, [&](const NumaMapsText& text) { sink.on_numa(text); });
}

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
